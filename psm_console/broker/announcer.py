"""Puts a notice between two bytes of a PTY's output, where it harms nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from . import notices
from .tracker import TerminalTracker

_PATIENCE_S = 1.0
"""How long to wait for an escape sequence to end, before it is cancelled."""
_BAR_S = 5.0
"""How long a bar covers the first row of a full-screen program."""
_REPAINT_S = 0.1
"""Between the two window changes that make a program draw everything again."""
_CANCEL = b"\x18"


class Announcer:
    """Notices of one channel: a line on a normal screen, a bar on a full-screen program."""

    def __init__(
        self,
        tracker: TerminalTracker,
        write: Callable[[bytes], None],
        repaint: Callable[[int], None],
    ) -> None:
        self._tracker = tracker
        self._write = write
        self._repaint = repaint
        self._waiting: list[tuple[str, int, bool]] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._bar = False

    def say(self, text: str, columns: int, *, stays: bool) -> None:
        """Show `text` at the next safe point; a bar that `stays` waits for the next."""
        self._waiting.append((text, columns, stays))
        self.try_now()
        if self._waiting:
            self._later("patience", _PATIENCE_S, self._force)

    def try_now(self) -> None:
        """Show what waits if the output is between two sequences."""
        if self._waiting and self._tracker.between_sequences:
            self._show()

    def _draw_over(self) -> None:
        """Have the program draw over a bar."""
        if self._bar:
            self._bar = False
            self._repaint(1)
            self._later("repaint", _REPAINT_S, lambda: self._repaint(0))

    def close(self) -> None:
        """Forget what waits and what was planned."""
        self._waiting.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _force(self) -> None:
        # The output stopped inside a sequence: CAN ends it (ECMA-48), or the notice would be
        # swallowed, which an operator could arrange.
        if self._waiting:
            self._write(_CANCEL)
            self._tracker.observe(_CANCEL)
            self._show()

    def _show(self) -> None:
        for text, columns, stays in self._waiting:
            if self._tracker.full_screen:
                self._write(notices.bar(text, columns))
                self._bar = True
                if not stays:
                    self._later("bar", _BAR_S, self._draw_over)
            else:
                said = notices.line(text, at_line_start=self._tracker.at_line_start)
                self._write(said)
                self._tracker.observe(said)
        self._waiting.clear()

    def _later(self, name: str, delay: float, action: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = asyncio.get_running_loop().call_later(delay, action)
