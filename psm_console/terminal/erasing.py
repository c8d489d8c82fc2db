"""Erasing, inserting and deleting: ED, EL, ECH, ICH, DCH, IL, DL, SU, SD, DECALN.

Erased cells take the current background (BCE, xterm ctlseqs). A wide character of which one half
goes loses the other too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psm_console.terminal.attributes import PLAIN
from psm_console.terminal.motion import Motion
from psm_console.terminal.rows import Row


class Erasing(Motion):
    """A screen that can be erased."""

    def _erase(self, row: Row, first: int, end: int) -> None:
        """Blank the cells first..end-1 of a row."""
        end = min(end, self.columns)
        if first >= end:
            return
        if row.care:
            row.split_at(first)
            row.split_at(end)
        row.text[first:end] = [" "] * (end - first)
        row.looks[first:end] = [self.cursor.blank] * (end - first)
        if end == self.columns:
            row.wrapped = False

    def erase_in_line(self, how: int = 0, *_: int, private: bool = False) -> None:
        """EL: from the cursor on (0), up to it (1), all (2); other values do nothing.

        `private` is DECSEL.
        """
        if private:
            self.selective_erase_in_line(how)
            return
        x = self.cursor.x
        if how == 2 or (how == 0 and x == 0):
            self._blank_rows(self.cursor.y, self.cursor.y, self.cursor.blank)
        elif how <= 1 and self._rows[self.cursor.y] is not self._blank(self.cursor.blank):
            self._erase(self._row(), *self._part_of_line(how))

    def erase_in_display(self, how: int = 0, *_: Any, private: bool = False) -> None:
        """ED: from the cursor on (0), up to it (1), all (2), or the scrollback (3).

        `private` is DECSED.
        """
        if private:
            self.selective_erase_in_display(how)
            return
        y, last, blank = self.cursor.y, self.lines - 1, self.cursor.blank
        if how == 0:
            self.erase_in_line(0)
            if y < last:
                self._blank_rows(y + 1, last, blank)
        elif how == 1:
            self.erase_in_line(1)
            if y > 0:
                self._blank_rows(0, y - 1, blank)
        elif how == 2:
            self._blank_rows(0, last, blank)
        elif how == 3:
            self.history.clear()

    def erase_characters(self, count: int | None = None, *_: int) -> None:
        """ECH: blank this many cells from the cursor on."""
        self.ensure_hbounds()
        x = self.cursor.x
        self._erase(self._row(), x, x + (count or 1))

    def insert_characters(self, count: int | None = None, *_: int) -> None:
        """ICH: shift the line's rest right; what passes the edge is gone."""
        self.ensure_hbounds()
        self._insert_cells(self._row(), self.cursor.x, count or 1)

    def _insert_cells(self, row: Row, x: int, count: int) -> None:
        count = min(count, self.columns - x)
        row.split_at(x)
        row.split_at(self.columns - count)
        text, looks = row.text, row.looks
        del text[self.columns - count :], looks[self.columns - count :]
        text[x:x] = [" "] * count
        looks[x:x] = [self.cursor.blank] * count
        row.wrapped = False

    def delete_characters(self, count: int | None = None, *_: int) -> None:
        """DCH: shift the line's rest left."""
        self.ensure_hbounds()
        self._delete_cells(self._row(), self.cursor.x, count or 1)

    def _delete_cells(self, row: Row, x: int, count: int) -> None:
        count = min(count, self.columns - x)
        row.split_at(x)
        row.split_at(x + count)
        del row.text[x : x + count], row.looks[x : x + count]
        row.text += [" "] * count
        row.looks += [self.cursor.blank] * count
        row.wrapped = False

    def insert_lines(self, count: int | None = None, *_: int) -> None:
        """IL: inside the scrolling region only; the cursor goes to the first column."""
        if self._top <= self.cursor.y <= self._bottom:
            self._scroll_down(count or 1, self.cursor.y, self._bottom)
            self.cursor.x = 0

    def delete_lines(self, count: int | None = None, *_: int) -> None:
        """DL: inside the scrolling region only; the cursor goes to the first column."""
        if self._top <= self.cursor.y <= self._bottom:
            self._scroll_up(count or 1, self.cursor.y, self._bottom)
            self.cursor.x = 0

    def scroll_up(self, count: int | None = None, *_: int) -> None:
        """SU: the region moves up, the cursor stays; what leaves the top is scrollback (xterm)."""
        self._scroll_up(count or 1, self._top, self._bottom, keep=True)

    def scroll_down(self, count: int | None = None, *more: int) -> None:
        """SD: the region moves down, the cursor stays; not with more parameters (xterm)."""
        if not more:
            self._scroll_down(count or 1, self._top, self._bottom)

    def selective_erase_in_line(self, how: int = 0, *_: int) -> None:
        """DECSEL: as EL, but what DECSCA protects stays (DEC STD 070)."""
        if how <= 2 and self._afford(1 + self.columns // 2):
            self._erase_selectively(self._row(), *self._part_of_line(how))

    def selective_erase_in_display(self, how: int = 0, *_: int) -> None:
        """DECSED: as ED, but what DECSCA protects stays (DEC STD 070)."""
        here, lines = self.cursor.y, self.lines
        spans = {0: (here + 1, lines), 1: (0, here), 2: (0, lines)}
        first, end = spans.get(how, (0, 0))
        if how > 2 or not self._afford((end - first + 1) * (2 + self.columns // 2)):
            return
        self.selective_erase_in_line(how)
        for y in range(first, end):
            row = self._rows[y] = self._rows[y].copy()
            self._erase_selectively(row, 0, self.columns)
        self._dirty.update(range(first, end))

    def _part_of_line(self, how: int) -> tuple[int, int]:
        """First and end column of what EL 0, 1 or 2 erases."""
        x = self.cursor.x
        return ((x, self.columns), (0, min(x + 1, self.columns)), (0, self.columns))[how]

    def _erase_selectively(self, row: Row, first: int, end: int) -> None:
        """Blank the unprotected cells first..end-1."""
        kept = [look.protected for look in row.looks[first:end]]
        if not any(kept):
            self._erase(row, first, end)
            return
        start = first
        for x, stays in enumerate([*kept, True], first):
            if stays:
                self._erase(row, start, x)
                start = x + 1

    def insert_columns(self, count: int | None = None, *_: int) -> None:
        """DECIC: blank columns at the cursor on every line of the region (DEC STD 070)."""
        self._edit_columns(self._insert_cells, self.cursor.x, count or 1)

    def delete_columns(self, count: int | None = None, *_: int) -> None:
        """DECDC: columns go at the cursor on every line of the region (DEC STD 070)."""
        self._edit_columns(self._delete_cells, self.cursor.x, count or 1)

    def scroll_left(self, count: int | None = None, *_: int) -> None:
        """SL: the region's columns move left (ECMA-48)."""
        self._edit_columns(self._delete_cells, 0, count or 1)

    def scroll_right(self, count: int | None = None, *_: int) -> None:
        """SR: the region's columns move right (ECMA-48)."""
        self._edit_columns(self._insert_cells, 0, count or 1)

    def _edit_columns(self, edit: Callable[[Row, int, int], None], x: int, count: int) -> None:
        x = min(x, self.columns - 1)
        top, bottom = self._top, self._bottom
        if not top <= self.cursor.y <= bottom or not self._afford(
            (bottom - top + 1) * (1 + self.columns // 64)
        ):
            return
        for y in range(top, bottom + 1):
            row = self._rows[y] = self._rows[y].copy()
            edit(row, x, count)
        self._rows_changed(top, bottom)

    def alignment_display(self) -> None:
        """DECALN: fill the screen with E, plain; region and cursor go back to the start."""
        self._top, self._bottom = 0, self.lines - 1
        self.cursor_position()
        self._rows[:] = [self._shared("E", PLAIN)] * self.lines
        self._everything_changed = True
        self.work += 16 + self.lines // 4
