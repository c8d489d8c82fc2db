"""Puts a notice between two bytes of a PTY's output, where it harms nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from psm_console.domain.session import Size
from psm_console.terminal import Screen

from . import overlay
from .tracker import TerminalTracker

log = logging.getLogger(__name__)

_PATIENCE_S = 1.0
"""How long to wait for an escape sequence to end, before it is cancelled."""
_BAR_S, _ROW_S = 5.0, 1.5
"""How long a bar covers the first row of a full-screen program, and more for each further row."""
_AGAIN_S = 0.1
"""How soon a bar is drawn again that the program may have painted over."""
_REPAINT_S, _REPAINTED_S = 1.0, 0.1
"""Between the two window changes that make a program draw everything again: at most, and from the
first sign that it heeds the one before the other. Both at once would be none to it."""
_TRIES, _TRY_AGAIN_S = 8, 0.15
"""How often the screen under a bar is read, as output that comes meanwhile makes it old."""
_CANCEL = b"\x18"
_DUMB = frozenset({"dumb", "unknown"})


@dataclass(frozen=True, slots=True)
class _Notice:
    text: str
    stays: bool


class Announcer:
    """Notices of one channel: a line on a normal screen, a bar on a full-screen program."""

    def __init__(
        self,
        tracker: TerminalTracker,
        write: Callable[[bytes], None],
        repaint: Callable[[int], None],
        beneath: Callable[[], Awaitable[Screen | None]],
    ) -> None:
        """`repaint` tells the target's terminal that it has so many rows less than it has.

        `beneath` returns the screen as it would be without any bar, or None when it can not tell
        at this moment.
        """
        self._tracker = tracker
        self._write = write
        self._repaint = repaint
        self._beneath = beneath
        self._size = Size(80, 24)
        self._dumb = False
        self._waiting: list[_Notice] = []
        self._bar: list[_Notice] = []
        self._covered = 0
        """Rows that the bar has taken; only a repaint gives them back."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._nudged = False
        self._lifting: asyncio.Future[None] | None = None

    def say(
        self, text: str, size: Size, *, stays: bool, lifts: bool = False, term: str = ""
    ) -> None:
        """Show `text` at the next safe point; a bar that `stays` waits for one that `lifts` it."""
        self._size, self._dumb = size, term in _DUMB
        if lifts:
            self._bar = [notice for notice in self._bar if not notice.stays]
        self._waiting.append(_Notice(text, stays))
        self.try_now()
        if self._waiting:
            self._later("patience", _PATIENCE_S, self._force)

    def try_now(self) -> None:
        """Output went by: show what waits if it is between two sequences, or a bar once more."""
        if self._nudged:
            self._nudged = False
            self._later("repaint", _REPAINTED_S, self._restore_size)
        if self._waiting and self._tracker.between_sequences:
            self._show()
        elif self._bar and "again" not in self._timers:
            self._later("again", _AGAIN_S, self._draw_again)

    def resized(self, size: Size) -> None:
        """The operator's window has another size: a bar is drawn to its width."""
        self._size = size
        if self._bar:
            self._draw_again()

    def last(self, text: str, term: str) -> bytes:
        """Return the last thing the operator reads: the terminal given back, then `text`."""
        if term in _DUMB:
            return overlay.appended(text, at_line_start=self._tracker.at_line_start)
        shown = overlay.Leaving.SCROLLED
        if self._tracker.alternate:
            shown = overlay.Leaving.ALTERNATE
        elif self._tracker.full_screen:
            shown = overlay.Leaving.PAINTED
        return overlay.last(text, shown)

    def close(self) -> None:
        """Forget what waits and what was planned."""
        self._waiting.clear()
        self._bar.clear()
        if self._lifting is not None:
            self._lifting.cancel()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _force(self) -> None:
        # The output stopped inside a sequence: CAN ends it (ECMA-48), or the notice would be
        # swallowed, which an operator could arrange. Then it goes on where it was.
        if self._waiting:
            again = self._tracker.unfinished
            self._write(_CANCEL)
            self._show()
            self._write(again)

    def _show(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._dumb:
            for notice in waiting:
                start = self._tracker.at_line_start
                self._write(overlay.appended(notice.text, at_line_start=start))
        elif self._tracker.full_screen:
            self._bar += waiting
            self._draw()
            rows = sum(len(overlay.framed(one.text, self._size)) for one in waiting)
            self._later("bar", _BAR_S + (rows - 1) * _ROW_S, self._lift)
        else:
            for notice in waiting:
                self._insert(notice.text)
            if self._tracker.special:
                # Perhaps it does paint rows by their number: let it put them right.
                self._nudge()

    def _insert(self, text: str) -> None:
        rows = overlay.framed(text, self._size)
        place = self._tracker.place(self._size)
        if place.above + place.below + len(rows) < self._size.rows:
            self._write(overlay.inserted(rows, place))
        else:
            self._write(overlay.appended(text, at_line_start=self._tracker.at_line_start))

    def _draw(self) -> None:
        """Draw the bar: the newest notices last, as many of their rows as may be covered."""
        rows = [row for one in self._bar for row in overlay.framed(one.text, self._size)]
        rows = rows[-max(self._size.rows // 2, 1) :]
        self._covered = min(max(self._covered, len(rows)), self._size.rows)
        rows += [""] * (self._covered - len(rows))
        self._write(overlay.bar(rows, self._size))

    def _draw_again(self) -> None:
        if not self._bar or not self._tracker.full_screen:
            return
        if self._tracker.between_sequences:
            self._draw()
        else:
            self._later("again", _AGAIN_S, self._draw_again)

    def _lift(self) -> None:
        """Take away what has been read; have the program draw over the bar if that is all."""
        self._bar = [notice for notice in self._bar if notice.stays]
        if self._bar:
            self._draw_again()
            return
        if self._tracker.full_screen:
            self._lifting = asyncio.ensure_future(self._uncover())

    async def _uncover(self) -> None:
        """Draw what is under the bar; where that is not known, have the program do it.

        A few programs heed no new size (mc), and to none the notice should make a difference.
        """
        for _ in range(_TRIES):
            screen = await self._look_beneath()
            if self._bar or not self._tracker.full_screen:
                return
            if screen is not None and self._tracker.between_sequences:
                self._write(overlay.uncovered(screen.dump_rows(self._covered)))
                self._covered = 0
                return
            await asyncio.sleep(_TRY_AGAIN_S)
        self._covered = 0
        self._nudge()

    async def _look_beneath(self) -> Screen | None:
        try:
            return await self._beneath()
        except Exception:
            log.exception("the screen under a notice can not be made")
            return None

    def _nudge(self) -> None:
        self._nudged = True
        self._repaint(1)
        self._later("repaint", _REPAINT_S, self._restore_size)

    def _restore_size(self) -> None:
        self._nudged = False
        self._repaint(0)

    def _later(self, name: str, delay: float, action: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()

        def act() -> None:
            del self._timers[name]
            action()

        self._timers[name] = asyncio.get_running_loop().call_later(delay, act)
