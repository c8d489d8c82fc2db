"""The policy for sessions that start from now on: config.toml, read again when it changes."""

from __future__ import annotations

import logging
from pathlib import Path

from psm_console.domain.policy import Policy
from psm_console.store import StoreError, load_policy

log = logging.getLogger(__name__)


class PolicyFile:
    """Reads `path` at once (raising what `load_policy` raises), and later by its time and size.

    Looked at once a second rather than watched: the store in the same directory changes all the
    time. A file that can not be used leaves the policy as it was.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self.policy: Policy = load_policy(path)

    def changed(self) -> bool:
        """Read the file if it is another one than before; say whether the policy is new."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            read = load_policy(self._path)
        except StoreError as error:
            log.error("config.toml is not taken over, the policy stays as it was: %s", error)
            return False
        new = read != self.policy
        self.policy = read
        return new

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
