"""Follows a cast that is being written: events as soon as their line is complete."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .decoding import End, LineDecoder
from .events import BYTE_CODES, HEADER_LIMIT, Event, Header, RecordingError
from .header import parse_header
from .source import FileBytes, LineSource, open_regular


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a cast between two events, or inside a long one."""

    offset: int = 0
    """Where the next line starts, in bytes; 0 is the header's line."""
    at_us: int = 0
    """The time of the newest event before it."""
    skip: int = 0
    """Bytes of the next event that came before this place."""


class Tail:
    """Reads the exact events of an asciicast v2 or v3 in order, from a position on.

    Raises RecordingError when the file can not be read or its first line is not a header: from
    `read`, or at once with a `start` further on. The line that is being written is left for later.
    """

    def __init__(self, path: Path, start: Position | None = None, *, beside: bool = True) -> None:
        """With `beside` False the bytes in the .bin file are not read, only counted."""
        self._path = path
        self._content = FileBytes(path)
        self._source = LineSource(self._content)
        self._bulk = self._read_bulk if beside else None
        self._decoder = LineDecoder(bulk=self._bulk)
        self._skip = 0
        self._bin = -1
        self.header: Header | None = None
        """None until its line is complete."""
        if start is not None and start.offset:
            try:
                self._go_to(start)
            except BaseException:
                self.close()
                raise

    @property
    def offset(self) -> int:
        """Where the next line starts, in bytes."""
        return self._source.offset

    @property
    def at_us(self) -> int:
        """The time of the newest event, in microseconds since the session's start."""
        return self._decoder.at_us

    @property
    def at_end(self) -> bool:
        """Whether everything that the file holds now was returned (but for half a line)."""
        return self._source.at_end

    @property
    def behind(self) -> int:
        """Bytes in the file that were not returned yet."""
        return max(self._content.size - self._source.offset, 0)

    @property
    def end(self) -> End | None:
        """How the channel ended; None while it lives, or when it was lost."""
        return self._decoder.end

    def read(self, max_bytes: int = 256 << 10) -> list[Event]:
        """Return the events in the next `max_bytes` at most; none when there is nothing new."""
        found: list[Event] = []
        for _, line in self._source.read(max_bytes):
            if self.header is None:
                self._begin(line, 0)
                continue
            event = self._decoder.decode(line)
            if event is not None:
                found.append(event)
        return self._after_skip(found) if self._skip else found

    def close(self) -> None:
        """Let go of the files; idempotent."""
        self._content.close()
        if self._bin >= 0:
            descriptor, self._bin = self._bin, -1
            os.close(descriptor)

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _go_to(self, start: Position) -> None:
        """Read the header, then go on from `start`."""
        self._begin(self._content.read(HEADER_LIMIT + 1, 0).partition(b"\n")[0], start.at_us)
        self._source = LineSource(self._content, start.offset)
        self._skip = start.skip

    def _begin(self, line: bytes, at_us: int) -> None:
        self.header = parse_header(line)
        absolute = self.header.version == 2
        self._decoder = LineDecoder(absolute=absolute, at_us=at_us, bulk=self._bulk)

    def _after_skip(self, events: list[Event]) -> list[Event]:
        """Drop what lies before the position from the first event that has bytes."""
        for index, event in enumerate(events):
            if event.code in BYTE_CODES and isinstance(event.data, bytes):
                rest = Event(event.at_us, event.code, event.data[self._skip :])
                self._skip = 0
                return [*events[:index], rest, *events[index + 1 :]]
        return events

    def _read_bulk(self, offset: int, count: int) -> bytes:
        """Return bytes of the .bin file beside the cast; fewer when it is not all there."""
        try:
            if self._bin < 0:
                self._bin = open_regular(self._path.with_suffix(".bin"))
            return os.pread(self._bin, count, offset)
        except (OSError, RecordingError):
            return b""
