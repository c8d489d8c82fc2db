"""Casts for other programs: asciicast v2, for players that are older than v3."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .cast import CastFile
from .events import Code, Event, Header, RecordingError

_json = msgspec.json.Encoder().encode
_SHOWN = frozenset({Code.OUTPUT, Code.ERROR})
_KEPT = frozenset({Code.INPUT, Code.MARKER, Code.RESIZE})


def export_v2(source: Path, target: Path) -> int:
    """Write the cast `source` as an asciicast v2 to the new file `target`; return its events.

    It shows what a terminal showed: bytes that were no text are U+FFFD, standard error is output,
    exit statuses and our own lines are left out. It proves nothing, its signatures are gone.
    Raises RecordingError with a sentence.
    """
    with CastFile(source) as cast:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(target, flags, 0o600), "wb") as file:
                file.write(_header(cast.header))
                count = 0
                for line in _events(cast):
                    file.write(line)
                    count += 1
        except OSError as error:
            raise RecordingError(
                f"{target.name} can not be written: {error.strerror}; choose another name"
            ) from error
    return count


def _header(header: Header) -> bytes:
    fields: dict[str, object] = {
        "version": 2,
        "width": header.size.columns,
        "height": header.size.rows,
    }
    if header.timestamp is not None:
        fields["timestamp"] = header.timestamp
    if header.command is not None:
        fields["command"] = header.command
    if header.title is not None:
        fields["title"] = header.title
    fields["env"] = {"TERM": header.term}
    return _json(fields) + b"\n"


def _events(cast: CastFile) -> Iterator[bytes]:
    decoders = {code: codecs.getincrementaldecoder("utf-8")("replace") for code in Code}
    for step in cast.steps():
        event = step.event
        if isinstance(event.data, str):
            if event.code in _KEPT:
                yield _line(event, event.code, event.data)
            continue
        data = event.data if cast.pty else event.data.replace(b"\n", b"\r\n")
        text = decoders[Code(event.code)].decode(data)
        if text:
            yield _line(event, Code.OUTPUT if event.code in _SHOWN else event.code, text)


def _line(event: Event, code: str, text: str) -> bytes:
    seconds, us = divmod(event.at_us, 1_000_000)
    return b'[%d.%06d, "%b", %b]\n' % (seconds, us, code.encode(), _json(text))
