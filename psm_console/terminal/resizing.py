"""A new size. The cursor's line stays: lines below it go first, then lines leave at the top.

Lines are not reflowed: what a narrower screen cuts off is gone, as in xterm.
"""

from __future__ import annotations

from psm_console.terminal.grid import MAX_COLUMNS, MAX_LINES
from psm_console.terminal.rows import Row
from psm_console.terminal.tabstops import TabStops
from psm_console.terminal.titles import Titles


class Resizing(Titles):
    """A screen that can be resized."""

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Change the size, clamped to 1-500 lines and 1-1000 columns; the region is reset."""
        lines = min(max(1, lines or self.lines), MAX_LINES)
        columns = min(max(1, columns or self.columns), MAX_COLUMNS)
        if (lines, columns) == (self.lines, self.columns):
            return
        if columns != self.columns:
            self._set_columns(columns)
        if lines != self.lines:
            self._set_lines(lines)
        self._top, self._bottom = 0, self.lines - 1
        self._dirty = {y for y in self._dirty if y < lines}
        self._everything_changed = True

    def _set_columns(self, columns: int) -> None:
        if self.tabstops.standard:
            self.tabstops = TabStops.every_eight(columns)
        else:
            wider = range(-(-self.columns // 8) * 8, columns, 8)
            kept = (stop for stop in self.tabstops if stop < columns)
            self.tabstops = TabStops({*kept, *wider})
        self.columns = columns
        self._forget_blanks()
        fitted: dict[int, Row] = {}
        for rows in (self._rows, self._other):
            for y, row in enumerate(rows):
                if id(row) not in fitted:
                    fitted[id(row)] = row.fitted(columns)
                    fitted[id(row)].care |= row.care
                rows[y] = fitted[id(row)]
        self.cursor.x = min(self.cursor.x, columns - 1)
        self.work += len(fitted) * 4

    def _set_lines(self, lines: int) -> None:
        y = self.cursor.y
        if self.alternate:
            self._fit_lines(self._rows, lines, y, keep=False)
            main = self._saved.get(False)
            self._fit_lines(self._other, lines, main.y if main else lines - 1, keep=True)
            self.cursor.y = min(y, lines - 1)
        else:
            self.cursor.y = min(y + self._fit_lines(self._rows, lines, y, keep=True), lines - 1)
        self.lines = lines

    def _fit_lines(self, rows: list[Row], lines: int, y: int, keep: bool) -> int:
        """Give a screen this many rows; returns by how many the cursor's line y moved."""
        blank = self._blank(self.cursor.blank)
        if len(rows) < lines:
            back = min(lines - len(rows), len(self.history)) if keep and y == len(rows) - 1 else 0
            taken = [self.history.pop().fitted(self.columns) for _ in range(back)]
            rows[:0] = reversed(taken)
            rows += [blank] * (lines - len(rows))
            return back
        below = min(len(rows) - lines, max(0, len(rows) - 1 - y))
        del rows[len(rows) - below :]
        gone = len(rows) - lines
        if keep:
            self.history.extend(rows[:gone])
        del rows[:gone]
        return -gone
