"""Putting text into cells: wrapping, insert mode, wide characters, attached ones, REP, charsets.

Nothing that arrives is dropped: a character without a cell of its own (combining marks, joiners,
variation selectors, zero-width spaces) is attached to the cell before it, up to ATTACHED_LIMIT.
"""

from __future__ import annotations

from collections.abc import Callable

from psm_console.terminal.charsets import TABLES
from psm_console.terminal.erasing import Erasing
from psm_console.terminal.rows import COMPLEX
from psm_console.terminal.widths import is_narrow, segments, width

ATTACHED_LIMIT = 16
"""Characters kept on one cell beside its own: 40 kB of marks on one cell froze other emulators."""


class Drawing(Erasing):
    """A screen that can be drawn on."""

    def draw(self, data: str) -> None:
        """Show text that holds no control characters."""
        if not data:
            return
        if self._single_shift >= 0 and not (data := self._shifted(data)):
            return
        if self._translation is not None:
            data = data.translate(self._translation)
        self.work += len(data) // 4 + 10
        if is_narrow(data):
            self._draw_run(data, self._draw_narrow)
            return
        for narrow, wide, other in segments(data):
            self.work += 10
            columns = width(other) if other else 2 - bool(narrow)
            if columns == 1:
                self._draw_run(narrow or other, self._draw_narrow)
            elif columns == 2 and self.columns > 1:
                self._draw_run(wide or other, self._draw_wide)
            else:
                self._attach(wide or other)

    def _draw_run(self, run: str, draw: Callable[[str], None]) -> None:
        """Draw a run; its first character adopts what came while there was no cell before it."""
        if self._orphans:
            marks, self._orphans = self._orphans, ""
            self._note_plain()
            draw(run[0])
            self._attach(marks)
            run = run[1:]
        if run:
            draw(run)

    def _shifted(self, data: str) -> str:
        """The text, its first character taken from the set that SS2 or SS3 asked for."""
        table = TABLES.get(self._charsets[self._single_shift])
        self._single_shift = -1
        self._note_charset()
        if table is None and self._translation is None:
            return data
        locked, self._translation = self._translation, None
        self.draw(data[0].translate(table or {}))
        self._translation = locked
        self._note_plain()
        return data[1:]

    def _draw_narrow(self, run: str) -> None:
        columns, cursor = self.columns, self.cursor
        if cursor.x + len(run) <= columns:
            self._put(list(run))
            return
        while run:
            room = columns - cursor.x
            if room <= 0:
                if not self._autowrap:
                    cursor.x = columns - 1
                    run, room = run[-1], 1
                else:
                    self._wrap()
                    room = columns
            elif not self._autowrap and len(run) > room:
                run = run[: room - 1] + run[-1]
            piece, run = run[:room], run[room:]
            self._put(list(piece))

    def _draw_wide(self, run: str) -> None:
        columns, cursor = self.columns, self.cursor
        while run:
            room = (columns - cursor.x) // 2
            if room <= 0:
                if self._autowrap:
                    self._erase_rest()
                    self._wrap()
                    room = columns // 2
                else:
                    cursor.x = columns - 2
                    run, room = run[-1], 1
            piece, run = run[:room], run[room:]
            cells = [""] * (2 * len(piece))
            cells[::2] = piece
            self._put(cells)
            self._rows[cursor.y].care = COMPLEX

    def _put(self, cells: list[str]) -> None:
        """Write cells that fit into the row at the cursor, and move behind them."""
        cursor = self.cursor
        row, x = self._row(), cursor.x
        end = x + len(cells)
        if self._insert:
            self._insert_cells(row, x, len(cells))
        elif row.care:
            row.split_at(x)
            row.split_at(end)
        row.text[x:end] = cells
        row.looks[x:end] = [cursor.look] * len(cells)
        cursor.x = end

    def _wrap(self) -> None:
        """Go to the start of the next line because the text goes on there."""
        self._row().wrapped = True
        self.cursor.x = 0
        if self.cursor.y == self._bottom:
            self._scroll_line()
        elif self.cursor.y < self.lines - 1:
            self.cursor.y += 1

    def _erase_rest(self) -> None:
        """Blank the last column, which a wide character could not take before it wrapped."""
        if self.cursor.x < self.columns:
            self._erase(self._row(), self.cursor.x, self.columns)

    def _attach(self, marks: str) -> None:
        """Add characters of no width to the cell before the cursor."""
        x = self.cursor.x
        if x == 0:
            self._orphans = (self._orphans + marks)[:ATTACHED_LIMIT]
            self._plain = False
            return
        row = self._row()
        x -= 1 if row.text[x - 1] else 2
        room = ATTACHED_LIMIT + 1 - len(row.text[x])
        row.text[x] += marks[: max(0, room)]
        row.care |= COMPLEX

    def repeat(self, count: int | None = None, *_: int) -> None:
        """REP: the character right before it again, at most a screenful; nothing after controls."""
        count = min(count or 1, self.columns * self.lines)
        rows = count // self.columns
        if self._last_text and (rows == 0 or self._afford(rows * (4 + self.columns // 4))):
            self.draw(self._last_text[-1] * count)

    def define_charset(self, code: str, mode: str) -> None:
        """SCS: designate a set for G0 `(`, G1 `)` `-`, G2 `*` `.` or G3 `+` `/`."""
        slot = {"(": 0, ")": 1, "-": 1, "*": 2, ".": 2, "+": 3, "/": 3}.get(mode)
        code = code if code in TABLES else "B"
        if slot is not None and self._charsets[slot] != code:
            sets = list(self._charsets)
            sets[slot] = code
            self._charsets = (sets[0], sets[1], sets[2], sets[3])
            if slot == self.charset:
                self._note_charset()

    def shift_in(self) -> None:
        """SI: G0."""
        self._use_charset(0)

    def shift_out(self) -> None:
        """SO: G1."""
        self._use_charset(1)

    def _use_charset(self, slot: int) -> None:
        if slot != self.charset:
            self.charset = slot
            self._note_charset()

    def single_shift(self, slot: int) -> None:
        """SS2, SS3: the next character comes from G2 or G3."""
        self._single_shift = slot
        self._plain = False
