"""Reads the first line of an asciicast v2 or v3, clamped to the limits."""

from __future__ import annotations

from typing import Any

import msgspec

from psm_console.domain.session import Size

from .events import (
    FILE_LOG,
    FILE_LOG_SIZE,
    FORMAT,
    FORWARD_LOG,
    HEADER_LIMIT,
    Header,
    Origin,
    RecordingError,
)

_DEFAULT = Size(80, 24)


def parse_header(line: bytes) -> Header:
    """Return what `line` says; raises RecordingError with a sentence when it is no header."""
    if len(line) > HEADER_LIMIT:
        raise RecordingError("the header is longer than 64 KiB; this is not a recording")
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingError("the first line is not an asciicast header") from error
    version = fields.get("version")
    term = fields.get("term")
    if version == 3 and isinstance(term, dict):
        size = size_of(term.get("cols"), term.get("rows"))
        name = term.get("type")
    elif version == 2:
        size = size_of(fields.get("width"), fields.get("height"))
        environment = fields.get("env")
        name = environment.get("TERM") if isinstance(environment, dict) else None
    elif fields.get("log") in (FILE_LOG, FORWARD_LOG):
        version, size, name = 3, FILE_LOG_SIZE, ""
    else:
        raise RecordingError(_unsupported(version))
    timestamp = _number(fields.get("timestamp"))
    return Header(
        version=version,
        size=size,
        timestamp=None if timestamp is None else int(timestamp),
        term=_text(name) or "",
        command=_text(fields.get("command", fields.get("to"))),
        title=_text(fields.get("title")),
        psm=_origin(fields.get("psm")),
    )


def _unsupported(version: object) -> str:
    if version == 3:
        return "the header does not say how large the terminal was"
    if isinstance(version, int) and not isinstance(version, bool):
        return f"asciicast version {version} can not be read, only 1, 2 and 3"
    return "the header does not name a version of asciicast"


def size_of(columns: object, rows: object) -> Size:
    """Return the size within 1-1000 × 1-500, or 80×24 when these are no numbers."""
    width, height = _number(columns), _number(rows)
    if width is None or height is None or width < 1 or height < 1:
        return _DEFAULT
    return Size.clamped(int(width), int(height))


def _number(value: object) -> int | float | None:
    """Return a number between 0 and 10^11: one of a million digits must not be worked with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(max(value, 0), 10**11)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _origin(value: object) -> Origin | None:
    if value is None:
        return None
    if (
        isinstance(value, dict)
        and isinstance(value.get("format"), int)
        and value["format"] > FORMAT
    ):
        raise RecordingError("a newer psm wrote this recording; read it with that version")
    try:
        return msgspec.convert(value, Origin)
    except (msgspec.MsgspecError, RecursionError):
        return None
