"""Descriptors on their way to running out: kept for live sessions while there are some left.

A session that has none for the recording of its next channel would be ended, and a store that has
none can not note an end. So new sessions stop first, then new connections, and channels last.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

CROWDED: Final = "too many files are open here for one more session; try again later"
CROWDED_CHANNEL: Final = "too many files are open here for one more channel; try again later"

FOR_SESSIONS: Final = 1.0
FOR_CONNECTIONS: Final = 0.5
FOR_CHANNELS: Final = 0.25
"""Parts of the reserve that must be free."""
_RESERVE = 64
_RESERVE_SHARE = 4
"""Of a very low limit no more than one in so many is kept."""
_EACH = 8
"""What one more session or connection takes at most until they are counted again."""
_COUNT_S = 1.0


class Descriptors:
    """Knows how many descriptors this process may still open; RLIMIT_NOFILE, getrlimit(2)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted_at = float("-inf")
        self._limit = -1
        self._left = 0

    def has_room(self, part: float) -> bool:
        """Whether `part` of the reserve (`FOR_…`) stays free, come what is asked for."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY:
            return True
        reserve = min(_RESERVE, limit // _RESERVE_SHARE)
        # Thousands of names take milliseconds: far from the limit they are seldom counted.
        old = limit != self._limit or self._clock() - self._counted_at > _COUNT_S
        if old or self._left < 2 * reserve:
            self._count(limit)
        if self._left < reserve * part:
            log.warning("%d of %d descriptors are left", max(self._left, 0), limit)
            return False
        self._left -= _EACH
        return True

    def _count(self, limit: int) -> None:
        try:
            used = len(os.listdir("/proc/self/fd"))
        except OSError:
            # Listing takes a descriptor too.
            used = limit
        self._limit, self._left = limit, limit - used
        self._counted_at = self._clock()


def raise_limit() -> None:
    """Let this process open as many files as its administrator allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
