"""Reads complete lines of a file that may still grow, and may be hostile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
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


class LineSource:
    """The lines of a file from an offset on; a line past 16 MiB is passed over."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Raises RecordingError when `path` can not be read."""
        self._fd = open_regular(path)
        self._rest = b""
        self._overlong = False
        self.offset = offset
        """Where the next line starts."""
        self.overlong = 0
        """Lines passed over because they are too long."""

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._fd >= 0:
            descriptor, self._fd = self._fd, -1
            os.close(descriptor)

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._fd).st_size

    @property
    def at_end(self) -> bool:
        """Whether every complete line that the file holds now was returned."""
        return self.offset + len(self._rest) >= self.size

    def read(self, max_bytes: int) -> list[tuple[int, bytes]]:
        """Return the complete lines in the next `max_bytes` at most, each with its offset.

        Nothing when the file holds no further complete line; a line longer than `max_bytes` takes
        several calls. Raises OSError.
        """
        data = os.pread(self._fd, max_bytes, self.offset + len(self._rest))
        return list(self._lines(data))

    def last(self) -> bytes:
        """Return what follows the last line's end, when the file has no more to give."""
        return b"" if self._overlong else self._rest

    def _lines(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = self._rest + lines[0]
            self._rest = b""
        for line in lines:
            start = self.offset
            self.offset += len(line) + 1
            if self._overlong or len(line) > LINE_LIMIT:
                self._overlong = False
                self.overlong += 1
            else:
                yield start, line
        self._rest += rest
        if len(self._rest) > LINE_LIMIT:
            self.offset += len(self._rest)
            self._rest = b""
            self._overlong = True
