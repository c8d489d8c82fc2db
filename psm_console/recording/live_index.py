"""Writes the index of a cast while the cast is written; one writer at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from psm_console.terminal import KeyframeError, Screen

from . import keyframes
from .cast import CastFile
from .decoding import End
from .events import RecordingError
from .indexer import READ, Indexer

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class LiveIndex:
    """Goes on with the index beside `path`, or begins it."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError when the cast can not be read or another process indexes it."""
        self._cast = CastFile(path)
        try:
            self._fd = _locked(keyframes.sidecar(path))
        except BaseException:
            self._cast.close()
            raise
        try:
            self._indexer = self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> Indexer:
        loaded = keyframes.load(self._cast)
        try:
            if loaded is not None:
                index, good = loaded
                indexer = Indexer(self._cast, index)
                os.ftruncate(self._fd, good)  # what follows was cut while it was written
                return indexer
        except KeyframeError:
            pass
        os.ftruncate(self._fd, 0)
        return Indexer(self._cast)

    @property
    def screen(self) -> Screen:
        """The screen after everything that was read."""
        return self._indexer.screen

    @property
    def at_end(self) -> bool:
        """Whether everything that the cast holds now was read."""
        return self._indexer.at_end

    @property
    def end(self) -> End | None:
        """How the channel ended, once that was read."""
        return self._indexer.end

    def advance(self, max_bytes: int = READ) -> None:
        """Read on for at most `max_bytes` and write what became due; raises OSError."""
        self._indexer.advance(max_bytes)
        # Seeking is for others: only the newest keyframe may be needed here again.
        del self._indexer.index.keyframes[:-1]
        self._append(self._indexer.take_records())

    def finish(self) -> None:
        """Note that the cast was read to its end, if it was, and close; raises OSError."""
        try:
            if self._indexer.at_end and self._indexer.end is not None:
                self._indexer.finish()
                self._append(self._indexer.take_records() + keyframes.complete_record(self._cast))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the files; idempotent."""
        if self._fd >= 0:
            descriptor, self._fd = self._fd, -1
            os.close(descriptor)
        self._cast.close()

    def _append(self, records: bytes) -> None:
        while records:
            records = records[os.write(self._fd, records) :]


def _locked(path: Path) -> int:
    """Return a descriptor of the index that nobody else has while we do."""
    try:
        descriptor = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        raise RecordingError(f"{path.name} can not be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise RecordingError(f"another process makes {path.name}") from error
    return descriptor
