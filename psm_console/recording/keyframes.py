"""The sidecar index of a cast: whole screens with their places, so that any instant is near.

A cache beside the evidence, never evidence: it is read as hostile input, checked against the cast,
and made again when it does not fit. A file is a row of records, each with its length and checksum,
so that one that was cut while it was written is as good as a shorter one.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from .cast import CastFile
from .events import RecordingError
from .facts import Facts
from .reader import Position
from .source import FileBytes

MAGIC = b"psm-keys/1\n"
SUFFIX = ".keys"
WINDOW = 1024
"""Bytes before a keyframe that are compared with the cast."""
_HEAD = struct.Struct(">IBI")
_PLACE = struct.Struct(">QQIQ16s")
_STATUS = struct.Struct(">QQQ32s")


class Kind(IntEnum):
    """What a record is."""

    IDENTITY = 1
    """SHA-256 of the cast's first line."""
    KEYFRAME = 2
    FACTS = 3
    """What is known of everything before a place."""
    COMPLETE = 4
    """The cast was read to its end, and what it was then."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The screen at a place; it shows everything up to `time_us`."""

    position: Position
    time_us: int
    window: bytes
    """Digest of the bytes before the place."""
    snapshot: bytes


@dataclass(slots=True)
class Index:
    """All that a sidecar holds; keyframes by their place."""

    keyframes: list[Keyframe] = field(default_factory=list)
    facts: Facts | None = None
    facts_at: Position = field(default_factory=Position)
    """What the facts cover: everything before this place."""
    complete: tuple[int, int, int, bytes] | None = None
    """Inode, size, modification time in ns and SHA-256 of the cast when it was read to its end."""

    def before(self, time_us: int) -> int:
        """Return the number of the newest keyframe that shows nothing later, -1 for none."""
        return bisect_right(self.keyframes, time_us, key=lambda frame: frame.time_us) - 1


def sidecar(cast: Path) -> Path:
    """Return where the index of `cast` lies."""
    return cast.with_suffix(SUFFIX)


def record(kind: Kind, payload: bytes) -> bytes:
    """Return a record as it stands in the file."""
    return _HEAD.pack(len(payload), kind, zlib.crc32(payload)) + payload


def beginning(cast: CastFile) -> bytes:
    """Return the first bytes of an index of `cast`."""
    return MAGIC + record(Kind.IDENTITY, cast.header_digest)


def keyframe_record(frame: Keyframe) -> bytes:
    """Return the record of a keyframe."""
    place = _place(frame.position, frame.time_us, frame.window)
    return record(Kind.KEYFRAME, place + frame.snapshot)


def facts_record(facts: Facts, position: Position) -> bytes:
    """Return the record of what is known of everything before `position`."""
    return record(Kind.FACTS, _place(position, 0, b"") + facts.pack())


def complete_record(cast: CastFile) -> bytes:
    """Return the record that says what the cast was when it had been read to its end."""
    status = cast.status()
    if status is None:
        return b""
    inode, size, modified_ns = status
    packed = _STATUS.pack(inode, size, modified_ns, cast.digest(size))
    return record(Kind.COMPLETE, packed)


def window_of(cast: CastFile, offset: int) -> bytes:
    """Return what ties a keyframe at `offset` to the bytes before it."""
    return cast.digest_before(offset, WINDOW)[:16]


def load(cast: CastFile) -> tuple[Index, int] | None:
    """Return the index beside `cast` and how many of its bytes are good.

    None when there is none or it does not fit the cast.
    """
    try:
        content = FileBytes(sidecar(cast.path))
    except RecordingError:
        return None
    try:
        # An index may take 6 %; what is far larger was not made by us.
        limit = cast.size // 2 + (1 << 20)
        data = content.read(limit, 0) if content.size <= limit else b""
    except OSError:
        return None
    finally:
        content.close()
    start = beginning(cast)
    if not data.startswith(start):
        return None
    index, good = _collected(data, len(start))
    return (index, good) if _fits(index, cast) else None


def fits(frame: Keyframe, cast: CastFile) -> bool:
    """Whether the cast still holds what it did when `frame` was taken."""
    offset = frame.position.offset
    return offset <= cast.size and window_of(cast, offset) == frame.window


def store(cast: CastFile, content: bytes, *, replace: bool) -> None:
    """Put a new index beside the cast, whole or not at all; a folder that refuses is no error.

    Without `replace` one that is there already stays.
    """
    path = sidecar(cast.path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{hashlib.sha256(content).hexdigest()[:8]}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(draft, flags, 0o600)
    except OSError:
        return
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)
            os.unlink(draft)
    except OSError:
        with suppress(OSError):
            os.unlink(draft)


def _place(position: Position, time_us: int, window: bytes) -> bytes:
    return _PLACE.pack(position.offset, position.at_us, position.skip, time_us, window)


def _records(data: bytes, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield end, kind and payload of each good record; a bad one ends it."""
    while start + _HEAD.size <= len(data):
        length, kind, checksum = _HEAD.unpack_from(data, start)
        end = start + _HEAD.size + length
        payload = data[start + _HEAD.size : end]
        if end > len(data) or zlib.crc32(payload) != checksum:
            return
        yield end, kind, payload
        start = end


def _collected(data: bytes, good: int) -> tuple[Index, int]:
    index = Index()
    for end, kind, payload in _records(data, good):
        if kind == Kind.KEYFRAME and len(payload) > _PLACE.size:
            offset, at_us, skip, time_us, window = _PLACE.unpack_from(payload)
            position = Position(offset, at_us, skip)
            frame = Keyframe(position, time_us, window, payload[_PLACE.size :])
            if index.keyframes and not _follows(index.keyframes[-1], frame):
                break
            index.keyframes.append(frame)
        elif kind == Kind.FACTS and len(payload) > _PLACE.size:
            offset, at_us, _, _, _ = _PLACE.unpack_from(payload)
            index.facts = Facts.unpack(payload[_PLACE.size :])
            index.facts_at = Position(offset, at_us)
        elif kind == Kind.COMPLETE and len(payload) == _STATUS.size:
            index.complete = _STATUS.unpack(payload)
        else:
            break
        good = end
    if index.facts is None:
        index.facts_at, index.complete = Position(), None
    return index, good


def _follows(earlier: Keyframe, later: Keyframe) -> bool:
    places = [(frame.position.offset, frame.position.skip) for frame in (earlier, later)]
    return places[0] <= places[1] and earlier.time_us <= later.time_us


def _fits(index: Index, cast: CastFile) -> bool:
    """Whether an index belongs to the cast as it is now."""
    size = cast.size
    if index.facts_at.offset > size:
        return False
    if index.complete is not None:
        inode, was, modified_ns, digest = index.complete
        if was > size:
            return False
        if cast.status() != (inode, size, modified_ns) and cast.digest(was) != digest:
            return False
        if was < size:  # it goes on; a line that had no end then may read differently now
            index.complete, index.facts, index.facts_at = None, None, Position()
    return all(fits(frame, cast) for frame in index.keyframes[-1:])
