"""What a recording is made of: events, the header that precedes them, and their limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from psm_console.domain.session import Size

FORMAT = 1
"""Version of what stands under "psm" in a header; a reader refuses a newer one in a sentence."""
SESSION_FILE = "session.json"
"""Says who, what, when and why; beside the casts."""
SESSION_LIMIT = 1 << 20
"""Longest session.json read, in bytes."""
CHANNEL_FILES = (".cast", ".jsonl")
"""How the names of signed files end: a channel's cast, or its log."""
FILE_LOG = "psm-sftp"
"""What the first line of an sftp channel's log says it is."""
FORWARD_LOG = "psm-forward"
"""What the first line of a forward's log says it is."""
FILE_LOG_SIZE = Size(120, 40)
"""The screen on which such logs are shown."""
LINE_LIMIT = 16 << 20
"""Longest line read, in bytes, without its end."""
HEADER_LIMIT = 64 << 10
"""Longest header read, in bytes."""
TIME_LIMIT_US = 10 * 366 * 86400 * 10**6
"""Latest time of an event, in microseconds since the start; what is later is clamped to it."""


class RecordingError(Exception):
    """A recording can not be written or read; the text is a sentence that says why."""


class Code(StrEnum):
    """The codes of asciicast v3 and what their data is."""

    OUTPUT = "o"
    ERROR = "e"
    """Standard error of a channel without a PTY; players that do not know it skip it."""
    INPUT = "i"
    RESIZE = "r"
    """`COLUMNSxROWS`."""
    MARKER = "m"
    EXIT = "x"
    """An integer; reasons stand in a marker before it."""


BYTE_CODES = frozenset({Code.OUTPUT, Code.ERROR, Code.INPUT})


@dataclass(frozen=True, slots=True)
class Event:
    """One event: bytes for `o`, `e` and `i`, exactly as they went by; text for all other codes."""

    at_us: int
    """Microseconds since the session began."""
    code: str
    data: bytes | str
    beside: int = 0
    """Bytes of it that lie in the .bin file because they are no text; not for a screen."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line of a cast says, clamped to the limits."""

    version: int
    size: Size
    timestamp: int | None = None
    """Seconds since 1970, UTC."""
    term: str = ""
    command: str | None = None
    title: str | None = None
    psm: Origin | None = None
    """None in a cast that another program wrote."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What ties a cast to its session; under "psm" in the header."""

    format: int
    session: str
    file: str
    channel: int
    kind: str
    pty: bool
    session_json: str
    """SHA-256 of session.json, in hexadecimal."""
    at: float = 0.0
    """When the channel opened, in seconds since the session's start."""


def instant(at: datetime) -> str:
    """Return `at` (aware) as it stands in files and signed messages: UTC, microseconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield `data` in slices of at most `size` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
