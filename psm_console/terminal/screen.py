"""The screen as everybody else uses it."""

from __future__ import annotations

from psm_console.terminal.dump import dump, dump_rows
from psm_console.terminal.keyframe import snapshot, state_of
from psm_console.terminal.keyframe_reading import restore
from psm_console.terminal.views import Views


class Screen(Views):
    """A terminal of 1-1000 columns and 1-500 lines (clamped) with `history` lines of scrollback."""

    def dump(self) -> bytes:
        """Escape sequences that make this screen of a fresh one of the same size.

        Both screens, modes, cursor, look, title, what the parser is in the middle of; not the
        scrollback.
        """
        return dump(self)

    def dump_rows(self, count: int) -> bytes:
        """Escape sequences that draw the first `count` rows, blanks too, on any screen."""
        return dump_rows(self, count)

    def snapshot(self) -> bytes:
        """A keyframe: everything but the scrollback, the parser's state too, compressed."""
        return snapshot(self)

    @classmethod
    def restore(cls, keyframe: bytes, history: int = 1000) -> Screen:
        """The screen of a keyframe. Raises KeyframeError when the bytes are not one."""
        return restore(cls, keyframe, history)

    def same_as(self, other: Screen) -> bool:
        """Whether the other screen shows the same and would go on in the same way.

        Scrollback, wrap marks, counters and what REP would repeat are left out.
        """
        return state_of(self) == state_of(other)
