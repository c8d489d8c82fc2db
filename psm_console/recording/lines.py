"""How each line of a cast is spelled: asciicast v3 events, and `# psm` lines that players skip.

The hot path is `event`: microseconds for a kilobyte of text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from .events import Header, instant

if TYPE_CHECKING:
    from .signing import Checkpoint

PREFIX = b"# psm "
BROKEN_LINE_END = b"\n"
"""Ends a line that could not be written whole, so that what follows stands on its own."""

_json = msgspec.json.Encoder().encode


def event(interval_us: int, code: str, text: str) -> bytes:
    """Return `[seconds, code, data]`; whole microseconds, so that sums are exact."""
    seconds, us = divmod(interval_us, 1_000_000)
    return b'[%d.%06d, "%b", %b]\n' % (seconds, us, code.encode(), _json(text))


def raw(data: bytes) -> bytes:
    """Return the line with the exact bytes of the event in the next line."""
    return PREFIX + b"raw " + base64.b64encode(data) + b"\n"


def part(data: bytes) -> bytes:
    """Return the line with the first bytes of a character that stands in the next `o` event."""
    return PREFIX + b"part " + base64.b64encode(data) + b"\n"


def note(word: str, fields: Mapping[str, object]) -> bytes:
    """Return `# psm WORD {…}`."""
    return PREFIX + word.encode() + b" " + _json(fields) + b"\n"


def seconds(us: int) -> float:
    """Return microseconds as the seconds that stand in `# psm` lines."""
    return us / 1_000_000


def text(value: str) -> str:
    """Return `value` with lone surrogates (bytes that were no text) spelled out, so it encodes."""
    return exact(value).decode("utf-8", "backslashreplace")


def exact(value: str) -> bytes:
    """Return the bytes that `value` stands for, where what was no text became surrogates."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def command(value: str) -> dict[str, object]:
    """Return what is said of a command that does not fit the header, or is not all text."""
    shown = text(value)
    if shown == value:
        return {"text": value}
    return {"text": shown, "base64": base64.b64encode(exact(value)).decode()}


def header(value: Header) -> bytes:
    """Return the first line of an asciicast v3."""
    fields: dict[str, object] = {
        "version": 3,
        "term": {"cols": value.size.columns, "rows": value.size.rows, "type": text(value.term)},
    }
    if value.timestamp is not None:
        fields["timestamp"] = value.timestamp
    if value.command is not None:
        fields["command"] = text(value.command)
    if value.title is not None:
        fields["title"] = text(value.title)
    if value.psm is not None:
        fields["psm"] = value.psm
    return _json(fields) + b"\n"


def plain_term(value: str) -> str:
    """Return what a client called its terminal as it may stand in a header: short, printable."""
    return re.sub(r"[^!-~]", "?", value[:64])


def signature(point: Checkpoint) -> bytes:
    """Return the line of a signed checkpoint."""
    fields = {
        "file": point.file,
        "offset": point.offset,
        "sha256": point.sha256,
        "at": instant(point.at),
        "signature": point.signature,
    }
    return note("sig", fields)
