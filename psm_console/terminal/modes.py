"""Modes (SM, RM, DECSET, DECRST), the alternate screen, and the resets."""

from __future__ import annotations

from typing import Any

from psm_console.terminal import private_modes as private
from psm_console.terminal.attributes import PLAIN
from psm_console.terminal.cursor import NOTHING_SAVED, US_ASCII
from psm_console.terminal.drawing import Drawing

_NUMBERS = [
    47,
    1047,
    1048,
    1049,
    1,
    3,
    5,
    6,
    7,
    9,
    12,
    25,
    40,
    45,
    66,
    67,
    80,
    *range(1000, 1008),
    1015,
    1016,
]
_NUMBERS += [47, 1047, 1048, 1049, 1034, 1036, 1039, 2004, 2026, 2027, 2031, 2048]
_KEPT = frozenset(number << 5 for number in _NUMBERS)
"""Private modes that are remembered: the set must not grow with the input."""

_ANSI = {4, 20}
"""Insert mode and new line mode: larger numbers would look like private ones."""
_ALTERNATE = {private.ALTERNATE, private.ALTERNATE_CLEARED, private.ALTERNATE_SAVED}
_ALWAYS = {private.ORIGIN, private.COLUMNS_132}
"""Modes that do something even when they are as asked already."""


def _known(modes: tuple[int, ...], kwargs: dict[str, Any]) -> list[int]:
    """The modes we act on or remember, as pyte numbers them."""
    if kwargs.get("private"):
        return [mode << 5 for mode in modes if mode << 5 in _KEPT]
    return [mode for mode in modes if mode in _ANSI]


class Modes(Drawing):
    """A screen whose modes can be set."""

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        """SM and, with `private=True`, DECSET."""
        for mode in _known(modes, kwargs):
            if mode in _ALTERNATE:
                self._enter_alternate(mode)
            elif mode == private.SAVE_CURSOR:
                self.save_cursor()
            elif mode not in self.mode:
                self.mode.add(mode)
                self._mode_changed(mode)
            elif mode in _ALWAYS:
                self._mode_changed(mode)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        """RM and, with `private=True`, DECRST."""
        for mode in _known(modes, kwargs):
            if mode in _ALTERNATE:
                self._leave_alternate(mode)
            elif mode == private.SAVE_CURSOR:
                self.restore_cursor()
            elif mode in self.mode:
                self.mode.discard(mode)
                self._mode_changed(mode)
            elif mode in _ALWAYS:
                self._mode_changed(mode)

    def _mode_changed(self, mode: int) -> None:
        self._note_modes()
        if mode == private.ORIGIN:
            self.cursor_position()
        elif mode == private.CURSOR_VISIBLE:
            self.cursor.hidden = not self.cursor_visible
        elif mode == private.REVERSE_SCREEN:
            self._everything_changed = True
        elif mode == private.COLUMNS_132:
            self._column_mode_asked()

    def show_cursor(self) -> None:
        """DECTCEM set."""
        self.mode.add(private.CURSOR_VISIBLE)
        self.cursor.hidden = False

    def hide_cursor(self) -> None:
        """DECTCEM reset."""
        self.mode.discard(private.CURSOR_VISIBLE)
        self.cursor.hidden = True

    def _column_mode_asked(self) -> None:
        """DECCOLM where mode 40 allows it (xterm): the size is the operator's, so it stays.

        Region to the whole screen, cursor home, screen erased (DEC STD 070).
        """
        if private.ALLOW_132 not in self.mode:
            return
        self._top, self._bottom = 0, self.lines - 1
        self.cursor_position()
        self.erase_in_display(2)

    def _enter_alternate(self, mode: int) -> None:
        if mode == private.ALTERNATE_SAVED:
            self.save_cursor()
        if not self.alternate:
            self._other, self.alternate = self._rows, True
            self._rows = [self._blank(self.cursor.blank)] * self.lines
            self._everything_changed = True

    def _leave_alternate(self, mode: int) -> None:
        if self.alternate:
            self._rows, self._other, self.alternate = self._other, [], False
            self._everything_changed = True
        if mode == private.ALTERNATE_SAVED:
            self.restore_cursor()

    def reset(self) -> None:
        """RIS: everything as after power-up; the scrollback goes too, as in xterm."""
        self.history.clear()
        self._set_initial_state()

    def soft_reset(self) -> None:
        """DECSTR: modes, region, look, charsets and saved cursor; cells and cursor stay (xterm)."""
        for mode in (private.ORIGIN, private.APPLICATION_CURSOR, 4):
            self.mode.discard(mode)
        self.mode |= {private.AUTOWRAP, private.CURSOR_VISIBLE}
        self.cursor.hidden = False
        self._top, self._bottom = 0, self.lines - 1
        self.cursor.paint(PLAIN)
        self._charsets, self.charset, self._single_shift = US_ASCII, 0, -1
        self._saved[self.alternate] = NOTHING_SAVED
        self._note_modes()

    def protect(self, how: int = 0, *_: int) -> None:
        """DECSCA: characters drawn from now on resist selective erase (1) or do not (0, 2)."""
        self.cursor.paint(self.cursor.look._replace(protected=how == 1))

    def use_utf8_charset(self) -> None:
        """ESC % G and ESC % @: G0 again, without line drawing."""
        self._charsets = ("B", *self._charsets[1:])
        self._use_charset(0)
