"""The disk of the recordings on its way to being full: told of early, refused on in time."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from psm_console.domain.policy import RecordingPolicy

log = logging.getLogger(__name__)


class Disk:
    """Looks at the free part of one disk; statvfs(3)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._low = False

    def free(self) -> float:
        """Return the part, 0 to 1, that is free to us; a disk that does not answer has none."""
        try:
            found = os.statvfs(self._folder)
        except OSError as error:
            log.error("the recordings' disk does not answer: %s", error.strerror)
            return 0.0
        return found.f_bavail / found.f_blocks if found.f_blocks else 1.0

    def has_room(self, policy: RecordingPolicy) -> bool:
        """Whether a session may begin: what is left belongs to those that live."""
        return self.free() >= policy.disk_refuse

    def news(self, policy: RecordingPolicy) -> tuple[str, str] | None:
        """Return an audit action and its detail when the disk got low, or has room again."""
        free = self.free()
        # Half a percent apart, so that a disk on the brink does not fill the log.
        low = free < policy.disk_warn + (0.005 if self._low else 0.0)
        if low == self._low:
            return None
        self._low = low
        said = f"{free:.1%} of the recordings' disk are free"
        log.warning("%s", said)
        return "disk.low" if low else "disk.recover", said
