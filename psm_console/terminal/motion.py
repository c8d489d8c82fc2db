"""Moving the cursor: CUP and its kin, tabs, line feeds, DECSC/DECRC, the scrolling region.

Counts of 0 and missing ones mean 1 (ECMA-48). A pending wrap (`x == columns`) ends with any
movement, counted from the last column (DEC STD 070, xterm).
"""

from __future__ import annotations

from psm_console.terminal.cursor import NOTHING_SAVED, SavedCursor, blank_of
from psm_console.terminal.grid import Grid
from psm_console.terminal.private_modes import ORIGIN


class Motion(Grid):
    """A grid whose cursor moves."""

    def carriage_return(self) -> None:
        """CR: to the first column."""
        self.cursor.x = 0

    def backspace(self) -> None:
        """BS: one column left, never to the line before."""
        cursor = self.cursor
        if cursor.x >= self.columns:
            cursor.x = self.columns - 1
        if cursor.x:
            cursor.x -= 1

    def linefeed(self) -> None:
        """LF, VT, FF: down one line, scrolling at the region's end; to column 0 with LNM set."""
        cursor = self.cursor
        if self._newline:
            cursor.x = 0
        elif cursor.x >= self.columns:
            cursor.x = self.columns - 1
        if cursor.y == self._bottom:
            self._scroll_line()
        elif cursor.y < self.lines - 1:
            cursor.y += 1

    def linefeeds(self, count: int) -> None:
        """LF several times."""
        self.linefeed()
        steps = min(count - 1, max(0, self._bottom - self.cursor.y))
        if self.cursor.y <= self._bottom:
            self.cursor.y += steps
            scrolled = count - 1 - steps
            height = self._bottom - self._top + 1
            self._scroll_up(min(scrolled, height), self._top, self._bottom, keep=True)
            if scrolled > height and self._top == 0 and not self.alternate:
                empty = min(scrolled - height, self.history.limit)
                self.history.extend([self._blank(self.cursor.blank)] * empty)
        else:
            self.cursor.y = min(self.lines - 1, self.cursor.y + count - 1)

    def index(self) -> None:
        """IND: down one line in the same column."""
        cursor = self.cursor
        if cursor.x >= self.columns:
            cursor.x = self.columns - 1
        if cursor.y == self._bottom:
            self._scroll_line()
        elif cursor.y < self.lines - 1:
            cursor.y += 1

    def next_line(self) -> None:
        """NEL: to the start of the next line."""
        self.cursor.x = 0
        self.index()

    def reverse_index(self) -> None:
        """RI: up one line, scrolling down at the region's start."""
        cursor = self.cursor
        if cursor.x >= self.columns:
            cursor.x = self.columns - 1
        if cursor.y == self._top:
            self._scroll_line_back()
        elif cursor.y > 0:
            cursor.y -= 1

    def tab(self, count: int | None = None, *_: int) -> None:
        """HT, CHT: to the next tab stop, or the last column; a pending wrap stays pending."""
        cursor = self.cursor
        if cursor.x >= self.columns:
            return
        cursor.x = self.tabstops.after(cursor.x, count or 1, self.columns - 1)

    def back_tab(self, count: int | None = None, *_: int) -> None:
        """CBT: to the tab stop before."""
        cursor = self.cursor
        if cursor.x >= self.columns:
            return
        cursor.x = self.tabstops.before(cursor.x, count or 1)

    def set_tab_stop(self) -> None:
        """HTS: a stop in the cursor's column."""
        self.tabstops.add(min(self.cursor.x, self.columns - 1))

    def clear_tab_stop(self, how: int = 0, *_: int) -> None:
        """TBC: the stop here (0) or all of them (3)."""
        if how == 0:
            self.tabstops.discard(self.cursor.x)
        elif how == 3:
            self.tabstops.clear()

    def ensure_hbounds(self) -> None:
        """Keep the cursor in a column of the screen."""
        self.cursor.x = min(max(0, self.cursor.x), self.columns - 1)

    def ensure_vbounds(self, use_margins: bool | None = None) -> None:
        """Keep the cursor on a line of the screen, or of the region in origin mode."""
        first, last = (
            (self._top, self._bottom) if use_margins or self._origin else (0, self.lines - 1)
        )
        self.cursor.y = min(max(first, self.cursor.y), last)

    def cursor_up(self, count: int | None = None, *_: int) -> None:
        """CUU: stops at the region's first line when it starts inside or below it."""
        self.ensure_hbounds()
        first = self._top if self.cursor.y >= self._top else 0
        self.cursor.y = max(first, self.cursor.y - (count or 1))

    def cursor_down(self, count: int | None = None, *_: int) -> None:
        """CUD: stops at the region's last line when it starts inside or above it."""
        self.ensure_hbounds()
        last = self._bottom if self.cursor.y <= self._bottom else self.lines - 1
        self.cursor.y = min(last, self.cursor.y + (count or 1))

    def cursor_forward(self, count: int | None = None, *_: int) -> None:
        """CUF, HPR."""
        self.cursor.x = min(self.columns - 1, self.cursor.x + (count or 1))

    def cursor_back(self, count: int | None = None, *_: int) -> None:
        """CUB."""
        self.cursor.x = max(0, min(self.cursor.x, self.columns - 1) - (count or 1))

    def cursor_down1(self, count: int | None = None, *_: int) -> None:
        """CNL: down, then to the first column."""
        self.cursor_down(count)
        self.cursor.x = 0

    def cursor_up1(self, count: int | None = None, *_: int) -> None:
        """CPL: up, then to the first column."""
        self.cursor_up(count)
        self.cursor.x = 0

    def cursor_position(self, line: int | None = None, column: int | None = None, *_: int) -> None:
        """CUP, HVP: 1-based; lines count from the region's first in origin mode (DECOM)."""
        self.cursor.x = min(self.columns, column or 1) - 1
        if self._origin:
            self.cursor.y = min(self._bottom, self._top + (line or 1) - 1)
        else:
            self.cursor.y = min(self.lines, line or 1) - 1

    def cursor_to_column(self, column: int | None = None, *_: int) -> None:
        """CHA, HPA."""
        self.cursor.x = min(self.columns, column or 1) - 1

    def cursor_to_line(self, line: int | None = None, *_: int) -> None:
        """VPA: like CUP it counts from the region in origin mode."""
        self.cursor_position(line, min(self.cursor.x, self.columns - 1) + 1)

    def vertical_relative(self, count: int | None = None, *_: int) -> None:
        """VPR: down, not stopped by the region unless in origin mode."""
        self.cursor.y += count or 1
        self.ensure_hbounds()
        self.ensure_vbounds()

    def set_margins(
        self, top: int | None = None, bottom: int | None = None, *_: int, private: bool = False
    ) -> None:
        """DECSTBM: 1-based; a region of fewer than two lines is refused, one too long is cut.

        `private` is XTRESTORE, which pyte's own stream takes for DECSTBM: it does nothing.
        """
        if private:
            return
        first = (top or 1) - 1
        last = min(bottom or self.lines, self.lines) - 1
        if first < last:
            self._top, self._bottom = first, last
            self.cursor.x, self.cursor.y = 0, first if self._origin else 0

    def save_cursor(self) -> None:
        """DECSC, SCOSC: each of the two screens keeps its own."""
        cursor = self.cursor
        self._saved[self.alternate] = SavedCursor(
            cursor.x, cursor.y, cursor.look, self._charsets, self.charset, self._origin
        )

    def restore_cursor(self) -> None:
        """DECRC, SCORC: to the start when nothing was saved; a pending wrap does not come back."""
        saved = self._saved.get(self.alternate, NOTHING_SAVED)
        cursor = self.cursor
        x, y, cursor.look, charsets, charset, origin = saved
        if origin != self._origin:
            (self.mode.add if origin else self.mode.discard)(ORIGIN)
            self._origin = origin
        cursor.blank = blank_of(cursor.look)
        cursor.x = min(x, self.columns - 1)
        first, last = (self._top, self._bottom) if origin else (0, self.lines - 1)
        cursor.y = min(max(first, y), last)
        if charset != self.charset or charsets != self._charsets:
            self._charsets, self.charset = charsets, charset
            self._note_charset()
