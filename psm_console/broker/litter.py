"""What connections leave behind in memory: collected when there is much, not whenever Python likes.

asyncssh's objects refer to each other, so only the collector frees them. It looks through all that
lives meanwhile, and nothing else runs: 0.15 s with 1,200 sessions.
"""

from __future__ import annotations

import gc

_LEAST = 100
_NEVER = 1 << 30


def collect_seldom() -> None:
    """Have the collector pass over what is loaded by now, and look only at what is new by itself.

    For a process that is a worker and nothing else.
    """
    young, middle, _ = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, middle, _NEVER)


class Litter:
    """Counts connections that are gone, and collects once they are as many as those that live."""

    def __init__(self) -> None:
        self._gone = 0

    def add(self, live: int) -> None:
        """Count one that is gone while `live` others are there."""
        self._gone += 1
        if self._gone >= max(live, _LEAST):
            self._gone = 0
            gc.collect()
