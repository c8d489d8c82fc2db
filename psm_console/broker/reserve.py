"""Disk space kept back, so that a full disk still takes a session's end and its audit entry."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

SIZE = 2 << 20
"""Bytes: ends and checkpoints of a few hundred channels, and SQLite's log of the same."""


class Reserve:
    """A file that takes up room until the room is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> bool:
        """Take the space; False when the disk has not that much left."""
        try:
            descriptor = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                os.posix_fallocate(descriptor, 0, SIZE)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.error("the reserve of %d bytes can not be kept: %s", SIZE, error.strerror)
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the space back to the disk."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.error("the reserve can not be given back: %s", error.strerror)
