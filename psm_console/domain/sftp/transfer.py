"""What went through an open file, and its SHA-256 as long as one byte follows the other."""

from __future__ import annotations

import hashlib

from .events import Closed, Transferred

NEVER_CLOSED = "never closed"


class Transfer:
    """Bytes of one file in one direction."""

    __slots__ = ("_first", "_next", "_sha", "bytes", "failed")

    def __init__(self) -> None:
        self._sha: hashlib._Hash | None = hashlib.sha256()
        self._first = self._next = -1
        self.bytes = 0
        self.failed = 0

    def take(self, offset: int, data: bytes) -> None:
        """Count `data`, which stands at `offset` of the file."""
        if not data:
            return
        if self._first < 0:
            self._first = self._next = offset
        if offset != self._next:
            self._sha = None
        self._first = min(self._first, offset)
        if self._sha is not None:
            self._sha.update(data)
        self._next = offset + len(data)
        self.bytes += len(data)

    @property
    def end(self) -> int:
        """The offset after the newest bytes."""
        return max(self._next, 0)

    def spoil(self) -> None:
        """Note that the file was changed by what did not pass here."""
        self._sha = None

    def summary(self) -> Transferred | None:
        """Return what there is to say; None when there was nothing."""
        if not self.bytes and not self.failed:
            return None
        sha = None if self._sha is None else self._sha.hexdigest()
        return Transferred(self.bytes, max(self._first, 0), sha, self.failed)


class OpenFile:
    """A file or folder that the target gave a handle for."""

    __slots__ = ("_entries", "append", "closing", "number", "path", "read", "written")

    def __init__(self, number: int, path: bytes, *, folder: bool, append: bool = False) -> None:
        self.number = number
        self.path = path
        self.append = append
        """Writes go to the file's end, wherever they say."""
        self.closing = False
        self.read = Transfer()
        self.written = Transfer()
        self._entries: int | None = 0 if folder else None

    def place(self, offset: int) -> int:
        """Return where bytes go that a write wants at `offset`."""
        return self.written.end if self.append else offset

    def listed(self, count: int) -> None:
        """Count names that were read."""
        if self._entries is not None:
            self._entries += count

    def closed(self, result: str) -> Closed:
        """Return the event of its end."""
        return Closed(
            self.number,
            self.path,
            result,
            self.read.summary(),
            self.written.summary(),
            self._entries,
        )
