"""The state of a screen and what moves whole rows: the ground the other parts stand on.

pyte's `Screen` is the base class so that its users may pass ours; none of its code runs, because
its buffer of dictionaries is what makes it slow.
"""

from __future__ import annotations

from typing import Any

import pyte
from pyte.screens import Margins

from psm_console.terminal import private_modes as private
from psm_console.terminal.attributes import PLAIN, Attributes, Char
from psm_console.terminal.charsets import TABLES
from psm_console.terminal.cursor import US_ASCII, Cursor, SavedCursor
from psm_console.terminal.rows import SHARED, Buffer, Row
from psm_console.terminal.scrollback import Scrollback
from psm_console.terminal.tabstops import TabStops

MAX_COLUMNS = 1000
MAX_LINES = 500


class Grid(pyte.Screen):
    """Rows of the screen in use, those of the other screen, the scrollback, and the cursor."""

    cursor: Cursor
    tabstops: TabStops  # type: ignore[assignment]

    def __init__(self, columns: int, lines: int, history: int = 1000) -> None:
        self.columns = min(max(1, columns), MAX_COLUMNS)
        self.lines = min(max(1, lines), MAX_LINES)
        self.history = Scrollback(history)
        self._remember = self.history.append
        self._dirty: set[int] = set()
        self.work = 0
        """What feeding cost so far, about 0.1 µs each on a machine of 2026; no clock is read."""
        self.overruns = 0
        """Operations left out as bombs: the screen may differ from the operator's."""
        self.cursor = Cursor(0, 0)
        self._credit = 0
        self.tabstops = TabStops.every_eight(self.columns)
        self._forget_blanks()
        self._set_initial_state()

    def _forget_blanks(self) -> None:
        """Make the empty rows anew, for this number of columns."""
        self._blanks: dict[tuple[str, Attributes], Row] = {}
        self._empty = self._shared(" ", PLAIN)

    def _set_initial_state(self) -> None:
        """Everything that RIS sets, as after power-up."""
        self._rows = [self._empty] * self.lines
        self._other: list[Row] = []
        """The main screen's rows while the alternate screen is shown, else empty."""
        self.alternate = False
        self._top, self._bottom = 0, self.lines - 1
        self.mode = {private.AUTOWRAP, private.CURSOR_VISIBLE}
        if not self.tabstops.standard:
            self.tabstops = TabStops.every_eight(self.columns)
        self.cursor.x = self.cursor.y = 0
        self.cursor.hidden = False
        self.cursor.look = self.cursor.blank = PLAIN
        self._saved: dict[bool, SavedCursor] = {}
        """What DECSC kept, for the alternate screen under True and for the main one under False."""
        self.title = self.icon_name = ""
        self._titles: list[tuple[str, str]] = []
        self._charsets = US_ASCII
        self.charset = 0
        self._single_shift = -1
        self._last_text = ""
        self._orphans = ""
        self._autowrap = self._plain = True
        self._insert = self._newline = self._origin = False
        self._translation: dict[int, str] | None = None
        self._everything_changed = True

    def _note_modes(self) -> None:
        """Keep what drawing asks for each character in plain attributes."""
        mode = self.mode
        self._autowrap = private.AUTOWRAP in mode
        self._insert = pyte.modes.IRM in mode
        self._newline = pyte.modes.LNM in mode
        self._origin = private.ORIGIN in mode
        self._note_charset()

    def _note_charset(self) -> None:
        self._translation = TABLES.get(self._charsets[self.charset])
        self._note_plain()

    def _note_plain(self) -> None:
        """Whether text of narrow characters may go straight into the row while it fits."""
        self._plain = self._translation is None and not (
            self._insert or self._orphans or self._single_shift >= 0
        )

    @property
    def dirty(self) -> set[int]:  # type: ignore[override]
        """Line numbers that changed since somebody cleared the set; that is up to the reader."""
        if self._everything_changed:
            self._everything_changed = False
            self._dirty.update(range(self.lines))
        return self._dirty

    @property
    def buffer(self) -> Buffer:  # type: ignore[override]
        """The rows of the screen in use: `buffer[y][x]` is a `Char`."""
        return Buffer(self._rows, private.REVERSE_SCREEN in self.mode)

    @property
    def default_char(self) -> Char:
        """An empty cell."""
        return Char(" ", reverse=private.REVERSE_SCREEN in self.mode)

    @property
    def margins(self) -> Margins | None:  # type: ignore[override]
        """The scrolling region's first and last line, from 0; None when it is the whole screen."""
        if self._top == 0 and self._bottom == self.lines - 1:
            return None
        return Margins(self._top, self._bottom)

    @property
    def application_cursor(self) -> bool:
        """Whether cursor keys send application sequences (DECCKM)."""
        return private.APPLICATION_CURSOR in self.mode

    @property
    def cursor_visible(self) -> bool:
        """Whether the cursor is shown (DECTCEM)."""
        return private.CURSOR_VISIBLE in self.mode

    def _blank(self, look: Attributes) -> Row:
        """The empty row of this look, shared by everybody: clearing a screen costs next to nothing.

        Programs under watch clear screens in loops to keep the watcher busy.
        """
        return self._empty if look is PLAIN else self._shared(" ", look)

    def _shared(self, character: str, look: Attributes) -> Row:
        row = self._blanks.get((character, look))
        if row is None:
            if len(self._blanks) >= 64:
                self._blanks.clear()
            row = Row([character] * self.columns, [look] * self.columns, SHARED)
            self._blanks[character, look] = row
        return row

    def _scroll_line(self) -> None:
        """Scroll the region up by one line, which goes to history where it should."""
        rows, top, bottom, blank = self._rows, self._top, self._bottom, self.cursor.blank
        row = rows.pop(top)
        rows.insert(bottom, self._empty if blank is PLAIN else self._blank(blank))
        if top == 0 and not self.alternate:
            self._remember(row)
        if (bottom - top) * 2 >= self.lines:
            self._everything_changed = True
        else:
            self._dirty.update(range(top, bottom + 1))
        self.work += 10

    def _row(self) -> Row:
        """The cursor's row, ready to be written, marked as changed."""
        y = self.cursor.y
        self._dirty.add(y)
        row = self._rows[y]
        if row.care & SHARED:
            row = self._rows[y] = row.copy()
        return row

    def _scroll_line_back(self) -> None:
        """Scroll the region down by one line."""
        rows, top, bottom = self._rows, self._top, self._bottom
        del rows[bottom]
        rows.insert(top, self._blank(self.cursor.blank))
        self._rows_changed(top, bottom)
        self.work += 10

    def _scroll_up(self, count: int, top: int, bottom: int, keep: bool = False) -> None:
        """Move rows top..bottom up, blank ones come in; `keep` puts what leaves in history."""
        count = min(count, bottom - top + 1)
        rows, blank = self._rows, self.cursor.blank
        if keep and top == 0 and not self.alternate:
            self.history.extend(rows[:count])
        del rows[top : top + count]
        at = bottom - count + 1
        rows[at:at] = [self._blank(blank)] * count
        self._rows_changed(top, bottom)
        self.work += 16 + count

    def _scroll_down(self, count: int, top: int, bottom: int) -> None:
        """Move rows top..bottom down; blank ones come in above."""
        count = min(count, bottom - top + 1)
        rows, blank = self._rows, self.cursor.blank
        del rows[bottom - count + 1 : bottom + 1]
        rows[top:top] = [self._blank(blank)] * count
        self._rows_changed(top, bottom)
        self.work += 16 + count

    def _afford(self, rows: int) -> bool:
        """Whether an operation that rewrites this many rows may run.

        No program needs more than a row rewritten for each character it sends; one that does is a
        bomb, and its operation is left out. The credit is refilled by the interpreter.
        """
        self._credit -= rows
        if self._credit <= 0:
            self.overruns += 1
            return False
        self.work += rows * 20
        return True

    def _rows_changed(self, top: int, bottom: int) -> None:
        if (bottom - top) * 2 >= self.lines:
            # Most of the screen: a row too many costs less than counting them.
            self._everything_changed = True
        else:
            self._dirty.update(range(top, bottom + 1))

    def _blank_rows(self, first: int, last: int, look: Attributes) -> None:
        """Replace rows first..last with empty ones."""
        self._rows[first : last + 1] = [self._blank(look)] * (last - first + 1)
        if first and self._rows[first - 1].wrapped:
            self._rows[first - 1].wrapped = False
        self._rows_changed(first, last)
        self.work += 16 + (last - first) // 4

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.columns}, {self.lines}, history={self.history.limit})"

    def debug(self, *args: Any, **kwargs: Any) -> None:
        """pyte calls this for what it does not know: nothing happens."""

    def bell(self, *args: Any) -> None:
        """BEL is silent."""

    def report_device_attributes(self, *args: Any, **kwargs: Any) -> None:
        """DA is not answered."""

    def report_device_status(self, *args: Any, **kwargs: Any) -> None:
        """DSR is not answered."""

    def write_process_input(self, data: str) -> None:
        """Queries are never answered: what is shown here belongs to somebody else's terminal."""
