"""A thing that is done at once, and again at most so often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pace:
    """Calls `act` when asked, at most once each `span_s`; the last ask of a burst is not lost."""

    def __init__(self, act: Callable[[], None], span_s: float) -> None:
        self._act = act
        self._span_s = span_s
        self._timer: asyncio.TimerHandle | None = None
        self._asked = False

    def ask(self) -> None:
        """Do it now, or when the span is over."""
        if self._timer is not None:
            self._asked = True
            return
        self._timer = asyncio.get_running_loop().call_later(self._span_s, self._over)
        self._act()

    def close(self) -> None:
        """Do it no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _over(self) -> None:
        self._timer = None
        if self._asked:
            self._asked = False
            self.ask()
