"""How often something may be done."""

from __future__ import annotations


class Rate:
    """At most `most` times in any `span_s` seconds; the time is handed in."""

    def __init__(self, most: int, span_s: float) -> None:
        self.most = most
        self.span_s = span_s
        self._times: tuple[float, ...] = ()
        """The last `most`. A deque would take 760 bytes of each session, empty."""

    def wait(self, at: float) -> float:
        """Return how many seconds after `at` it may be done; 0 is at once."""
        if len(self._times) < self.most:
            return 0.0
        return max(self._times[0] + self.span_s - at, 0.0)

    def take(self, at: float) -> None:
        """Note that it was done."""
        self._times = (*self._times, at)[-self.most :]
