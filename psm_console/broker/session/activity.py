"""How much a session put out lately: the figures behind a sparkline."""

from __future__ import annotations

SPANS = 12
SPAN_S = 5.0


class Activity:
    """Output bytes in the last `SPANS` spans of `SPAN_S` seconds."""

    def __init__(self) -> None:
        self._bins = [0] * SPANS
        self._span = 0

    def add(self, at: float, count: int) -> None:
        """Count `count` bytes at `at` seconds since the session began."""
        self._advance(at)
        self._bins[-1] += count

    def bins(self, at: float) -> tuple[int, ...]:
        """Return the bytes of each span, the newest last."""
        self._advance(at)
        return tuple(self._bins)

    def _advance(self, at: float) -> None:
        behind = int(at // SPAN_S) - self._span
        if behind > 0:
            self._span += behind
            self._bins = [*self._bins, *[0] * min(behind, SPANS)][-SPANS:]
