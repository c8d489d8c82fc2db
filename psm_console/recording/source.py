"""Reads complete lines of a file that may still grow, and may be hostile."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .events import LINE_LIMIT, RecordingError

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: a named pipe in a folder of recordings must not hang its reader."""


def open_regular(path: Path) -> int:
    """Return a descriptor of the regular file `path`; raises RecordingError with a sentence."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise RecordingError(f"{path.name} can not be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RecordingError(f"{path.name} is not a regular file")
    return descriptor


class FileBytes:
    """The bytes of a regular file, which may grow."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError when `path` can not be read."""
        self._path = path
        self._fd = open_regular(path)
        self._identity = _identity(os.fstat(self._fd))
        self._closed = False

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return self.status().st_size

    def read(self, count: int, offset: int) -> bytes:
        """Return at most `count` bytes from `offset` on; raises OSError."""
        return os.pread(self._descriptor(), count, offset)

    def status(self) -> os.stat_result:
        """Return what the file system says of the file."""
        return os.fstat(self._fd) if self._fd >= 0 else os.lstat(self._path)

    def rest(self) -> None:
        """Give back the descriptor until the next read: a session can have a thousand channels."""
        if self._fd >= 0:
            descriptor, self._fd = self._fd, -1
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the file; idempotent."""
        self._closed = True
        self.rest()

    def _descriptor(self) -> int:
        if self._fd < 0:
            if self._closed:
                raise RecordingError(f"{self._path.name} is closed")
            descriptor = open_regular(self._path)
            if _identity(os.fstat(descriptor)) != self._identity:
                os.close(descriptor)
                raise RecordingError(f"{self._path.name} was replaced; open the recording again")
            self._fd = descriptor
        return self._fd


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class MemoryBytes:
    """Bytes at hand, read as a file is."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._data)

    def read(self, count: int, offset: int) -> bytes:
        """Return at most `count` bytes from `offset` on."""
        return self._data[offset : offset + count]

    def rest(self) -> None:
        """Nothing to give back."""

    def close(self) -> None:
        """Nothing to let go of."""


class LineSource:
    """The lines of a file from an offset on; a line past 16 MiB is passed over."""

    def __init__(self, content: FileBytes | MemoryBytes, offset: int = 0) -> None:
        self._content = content
        self._rest: list[bytes] = []
        """The beginning of a line whose end was not read yet."""
        self._held = 0
        self._overlong = False
        self.offset = offset
        """Where the next line starts."""
        self.overlong = 0
        """Lines passed over because they are too long."""

    @property
    def at_end(self) -> bool:
        """Whether every complete line that the file holds now was returned."""
        return self.offset + self._held >= self._content.size

    def read(self, max_bytes: int) -> list[tuple[int, bytes]]:
        """Return the complete lines in the next `max_bytes` at most, each with its offset.

        Nothing when the file holds no further complete line; a line longer than `max_bytes` takes
        several calls. Raises OSError.
        """
        data = self._content.read(max_bytes, self.offset + self._held)
        if b"\n" not in data:
            self._hold(data)
            return []
        whole, _, rest = data.rpartition(b"\n")
        lines = b"".join((*self._rest, whole)).split(b"\n")
        self._rest, self._held = [], 0
        found: list[tuple[int, bytes]] = []
        for line in lines:
            start = self.offset
            self.offset += len(line) + 1
            if self._overlong or len(line) > LINE_LIMIT:
                self._overlong = False
                self.overlong += 1
            else:
                found.append((start, line))
        self._hold(rest)
        return found

    def last(self) -> bytes:
        """Return what follows the last line's end, when the file has no more to give."""
        return b"" if self._overlong else b"".join(self._rest)

    def _hold(self, data: bytes) -> None:
        if not data:
            return
        self._rest.append(data)
        self._held += len(data)
        if self._overlong or self._held > LINE_LIMIT:
            self.offset += self._held
            self._rest, self._held = [], 0
            self._overlong = True
