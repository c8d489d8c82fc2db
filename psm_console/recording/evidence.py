"""A file that only grows: what `append` was given is write(2)-ten and hashed when it returns."""

from __future__ import annotations

import hashlib
import os
import threading

from .events import RecordingError

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Health:
    """Shared by all files of a session: after one failure, nothing more is taken in any of them."""

    __slots__ = ("failure",)

    def __init__(self) -> None:
        self.failure: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Remember the first failure."""
        if self.failure is None:
            self.failure = error

    def require(self) -> None:
        """Raise RecordingError unless everything so far was recorded."""
        if self.failure is not None:
            raise RecordingError(f"the recording failed before: {reason_of(self.failure)}")


def reason_of(error: BaseException) -> str:
    """Return why in a few words, without paths."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


class EvidenceFile:
    """A new file under `folder_fd`, mode 0600. Every method raises OSError when the disk does.

    Appending is for one thread; `sync` may be called from another one. Without `hashed` whoever
    appends keeps the digests, block by block: to do it twice would be half the cost of a byte.
    """

    __slots__ = ("_dirty", "_fd", "_hashed", "_lock", "_retired", "_sha", "name", "offset", "torn")

    def __init__(self, folder_fd: int, name: str, *, hashed: bool = True) -> None:
        self._fd = os.open(name, _FLAGS, 0o600, dir_fd=folder_fd)
        self._lock = threading.Lock()
        """Held while the descriptor is synced or closed: its number may be used again after."""
        self._sha = hashlib.sha256()
        self._hashed = hashed
        self._dirty = False
        self._retired = False
        self.name = name
        self.offset = 0
        """Bytes in the file."""
        self.torn = False
        """Whether the last write was cut short, so that the file ends inside a line."""

    @property
    def sha256(self) -> str:
        """SHA-256 of all bytes so far, in hexadecimal; empty where others keep the digests."""
        return self._sha.hexdigest() if self._hashed else ""

    def append(self, data: bytes) -> None:
        """Write all of `data`, or raise."""
        written = os.write(self._fd, data)
        if written != len(data):
            self._append_rest(data, written)
        if self._hashed:
            self._sha.update(data)
        self.offset += len(data)
        self._dirty = True

    def _append_rest(self, data: bytes, written: int) -> None:
        """Go on after a short write; on failure, account for what did get into the file."""
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            self._sha.update(data[:written])
            self.offset += written
            self.torn = True
            raise

    def sync(self) -> None:
        """Bring what was appended to the disk itself; cheap when nothing was."""
        with self._lock:
            if self._dirty and self._fd >= 0:
                self._dirty = False
                os.fdatasync(self._fd)
            if self._retired:
                self._close()

    def retire(self) -> None:
        """Nothing will be appended any more: the next `sync` closes the file."""
        self._retired = True

    def close(self) -> None:
        """Close the descriptor, without bringing anything to the disk; idempotent."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            descriptor, self._fd = self._fd, -1
            os.close(descriptor)
