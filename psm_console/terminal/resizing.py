"""A new size. The cursor's line stays: lines below it go first, then lines leave at the top.

On another width lines of the main screen are wrapped anew; those of the alternate screen are cut.
"""

from __future__ import annotations

from psm_console.terminal.attributes import PLAIN
from psm_console.terminal.grid import MAX_COLUMNS, MAX_LINES
from psm_console.terminal.reflow import Line, reflow
from psm_console.terminal.rows import SHARED, Row
from psm_console.terminal.scrollback import row_of
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
        if lines != self.lines:
            self._set_lines(lines)
        if columns != self.columns:
            self._set_columns(columns)
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
        if self.alternate:
            self._reflow_behind()
        else:
            self._rows, self.cursor.y = self._reflowed(self._rows, self.cursor.y)
        self._rows = self._fitted(self._rows)
        self.cursor.x = min(self.cursor.x, columns - 1)

    def _reflow_behind(self) -> None:
        """Wrap the main screen's lines anew while the alternate screen is shown."""
        saved = self._saved.get(False)
        y = min(saved.y, self.lines - 1) if saved else self.lines - 1
        rows, y = self._reflowed(self._other, y)
        self._other = self._fitted(rows)
        if saved:
            self._saved[False] = saved._replace(y=y)

    def _reflowed(self, rows: list[Row], y: int) -> tuple[list[Row], int]:
        """The main screen's rows and its cursor's line at the new width; the bottom stays.

        What no longer fits goes to history; what a wider screen has room for comes back from there.
        """
        above = self.history.lines()
        if not self._afford(8 + len(above) // 16):
            # A storm of sizes: the scrollback stays as it is until there is output again.
            above = []
        lines, cursor = reflow([*above, *rows], len(above) + y, self.columns, self._afford)
        excess = len(lines) - self.lines
        if not above:
            empty = min(max(0, excess), _empty_at_end(lines[cursor + 1 :]))
            del lines[len(lines) - empty :]
        start = max(0, len(lines) - self.lines)
        start = min(start, cursor)
        if above:
            self.history.replace(lines[:start])
        else:
            self.history.extend(lines[:start])
        shown = [row_of(line) for line in lines[start : start + self.lines]]
        shown += [self._blank(PLAIN)] * (self.lines - len(shown))
        self.work += len(above) // 4
        return shown, cursor - start

    def _fitted(self, rows: list[Row]) -> list[Row]:
        """The rows at the screen's width; a shared row stays shared."""
        columns = self.columns
        fitted = []
        for row in rows:
            if row.care & SHARED and row.text[0] == " ":
                fitted.append(self._blank(row.looks[0]))
            elif len(row.text) == columns:
                fitted.append(row)
            else:
                fitted.append(row.fitted(columns))
        self.work += len(rows) * 4
        return fitted

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


def _empty_at_end(lines: list[Line]) -> int:
    """How many lines at the end show nothing."""
    count = 0
    while count < len(lines) and not row_of(lines[-1 - count]).plain_text():
        count += 1
    return count
