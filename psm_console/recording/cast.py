"""Reads whole casts, asciicast v1, v2 and v3, ours and others', broken ones included."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from . import lines
from .decoding import End, LineDecoder
from .events import HEADER_LIMIT, Event, Header, RecordingError
from .header import parse_header, size_of
from .reader import Position
from .source import FileBytes, LineSource, MemoryBytes

V1_LIMIT = 64 << 20
"""Longest asciicast v1 read, in bytes: it is one JSON document, so all of it must be held."""
READ = 16 << 10
"""Bytes read at a time; a seek should not decode much more than it needs."""


@dataclass(frozen=True, slots=True)
class Step:
    """An event and where it stands."""

    event: Event
    start: int
    """Where its first line starts, `# psm raw` included; one can begin to read there…"""
    before_us: int
    """…with this as the time of the newest event before it."""
    clean: bool
    """…unless bytes that came before stand in it again."""
    kind: str
    """For a marker: what it is about."""


class CastFile:
    """A cast to be read from any position, any number of times."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError with a sentence when `path` holds no asciicast."""
        self.path = path
        self._content: FileBytes | MemoryBytes = FileBytes(path)
        try:
            self.header, self._begin, self.header_digest = self._opened()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Bytes in the cast now (of an asciicast v1: of what it was converted to)."""
        return self._content.size

    @property
    def pty(self) -> bool:
        """Whether the bytes went to a terminal; others' casts always did."""
        return self.header.psm is None or self.header.psm.pty

    def status(self) -> tuple[int, int, int] | None:
        """Return inode, size and modification time in ns; None for a converted cast."""
        if isinstance(self._content, MemoryBytes):
            return None
        found = self._content.status()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def digest_before(self, offset: int, count: int) -> bytes:
        """Return the SHA-256 of the `count` bytes before `offset` (fewer at the beginning)."""
        start = max(offset - count, 0)
        return hashlib.sha256(self._content.read(offset - start, start)).digest()

    def digest(self, size: int) -> bytes:
        """Return the SHA-256 of the first `size` bytes."""
        sha = hashlib.sha256()
        for start in range(0, size, 1 << 20):
            sha.update(self._content.read(min(1 << 20, size - start), start))
        return sha.digest()

    def reader(self, start: Position | None = None) -> StepReader:
        """Return a reader of the events from `start` on; `start.skip` is left to the caller."""
        start = start if start is not None and start.offset else Position(self._begin)
        decoder = LineDecoder(absolute=self.header.version == 2, at_us=start.at_us)
        return StepReader(LineSource(self._content, start.offset), decoder)

    def steps(self, start: Position | None = None) -> Iterator[Step]:
        """Yield the events from `start` on, with a last one whose line has no end."""
        reader = self.reader(start)
        while not reader.at_end:
            yield from reader.read(READ)
        yield from reader.last()

    def find_end(self) -> End | None:
        """Return how the channel ended, if the last lines say so."""
        start = max(self.size - HEADER_LIMIT, 0)
        decoder = LineDecoder()
        for line in self._content.read(HEADER_LIMIT, start).split(b"\n"):
            if line.startswith(b"# psm end "):
                decoder.decode(line)
        return decoder.end

    def rest(self) -> None:
        """Give back the descriptor until the next read."""
        self._content.rest()

    def close(self) -> None:
        """Let go of the file; idempotent."""
        self._content.close()

    def __enter__(self) -> CastFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> tuple[Header, int, bytes]:
        """Return the header, where the line after it starts, and the SHA-256 of its line."""
        first = self._content.read(HEADER_LIMIT + 1, 0)
        line, end, _ = first.partition(b"\n")
        if not first.strip():
            raise RecordingError(f"{self.path.name} is empty; there is nothing to replay")
        try:
            header = parse_header(line)
        except RecordingError as error:
            converted = self._from_v1()
            if converted is None:
                raise RecordingError(f"{self.path.name} is no recording: {error}") from error
            self._content.close()
            self._content = MemoryBytes(converted)
            return self._opened()
        return header, len(line) + len(end), hashlib.sha256(line).digest()

    def _from_v1(self) -> bytes | None:
        """Return an asciicast v3 of the same events, or None when this is no version 1."""
        if self._content.size > V1_LIMIT:
            return None
        try:
            old = msgspec.json.decode(self._content.read(V1_LIMIT, 0), type=_Version1)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if old.version != 1:
            return None
        found = [lines.header(Header(3, size_of(old.width, old.height), command=old.command))]
        for delay, text in old.stdout:
            us = round(min(max(delay, 0.0), 1e9) * 1_000_000)
            found.append(lines.event(us, "o", text))
        return b"".join(found)


class StepReader:
    """Reads events with their places; goes on where it stopped when the file has grown."""

    def __init__(self, source: LineSource, decoder: LineDecoder) -> None:
        self._source = source
        self._decoder = decoder
        self._start = -1
        self._before_us = decoder.at_us
        self._clean = True

    @property
    def at_end(self) -> bool:
        """Whether everything that the file holds now was read (but for half a line)."""
        return self._source.at_end

    @property
    def offset(self) -> int:
        """Where the next line starts."""
        return self._source.offset

    @property
    def at_us(self) -> int:
        """The time of the newest event."""
        return self._decoder.at_us

    @property
    def end(self) -> End | None:
        """How the channel ended, once that was read."""
        return self._decoder.end

    @property
    def broken(self) -> int:
        """Lines so far that hold no event."""
        return self._decoder.broken

    @property
    def overlong(self) -> int:
        """Lines so far that are longer than 16 MiB."""
        return self._source.overlong

    def read(self, max_bytes: int) -> list[Step]:
        """Return the events in the next `max_bytes` at most."""
        found = []
        for offset, line in self._source.read(max_bytes):
            step = self._step(offset, line)
            if step is not None:
                found.append(step)
        return found

    def last(self) -> list[Step]:
        """Return the event in a last line without its end, if there is one; then read no more."""
        rest = self._source.last()
        step = self._step(self._source.offset, rest) if rest else None
        return [] if step is None else [step]

    def _step(self, offset: int, line: bytes) -> Step | None:
        decoder = self._decoder
        if self._start < 0:
            self._start, self._before_us = offset, decoder.at_us
            self._clean = decoder.between
        event = decoder.decode(line)
        if event is None:
            if not decoder.holds_raw:
                self._start = -1
            return None
        start, self._start = self._start, -1
        return Step(event, start, self._before_us, self._clean, decoder.mark_kind)


class _Version1(msgspec.Struct):
    version: int
    width: float
    height: float
    stdout: list[tuple[float, str]]
    command: str | None = None
