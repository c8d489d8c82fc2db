"""Text without a single escape, by the thousand lines: `yes`, `cat`, `base64`, CJK prose.

Such a run is cut into pieces of one row each. Those that would scroll away at once go into the
scrollback as they are, and only a screenful is drawn. The screen is the same as without this file:
a property test says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import repeat

from psm_console.terminal.resizing import Resizing
from psm_console.terminal.scrollback import row_of
from psm_console.terminal.widths import NARROW_RANGES, WIDE_RANGES, is_wide, width

FLOOD_LENGTH = 256
"""Characters from which on looking for a flood pays."""

_narrow_lines = re.compile(f"(?:[{NARROW_RANGES}]++|\r\n)*+").fullmatch
_any_lines = re.compile(f"(?:[{NARROW_RANGES}{WIDE_RANGES}]++|\r\n)*+").fullmatch


class Flooding(Resizing):
    """A screen that is quick with long runs of plain lines."""

    skip_floods = True
    """Whether floods are taken the quick way; off only to prove that it changes nothing."""

    def _take_flood(self, text: str) -> bool:
        """Show a run of plain lines; False, and nothing done, where it is not one."""
        ordinary = self._plain and self._autowrap and not self._newline
        if not (self.skip_floods and ordinary) or self._top or self._bottom < self.lines - 1:
            return False
        # A chunk may end between CR and LF.
        first, end = text[0] == "\n", text[-1] == "\r"
        text = text[first : len(text) - end]
        wide = not _narrow_lines(text)
        if wide and (self.columns < 2 or not _any_lines(text)):
            return False
        if first:
            self.linefeed()
        self._take_lines(text, wide)
        self._last_text = text[-1:] if text[-1:] != "\n" else ""
        if end:
            self.cursor.x = 0
            self._last_text = ""
        return True

    def _take_lines(self, text: str, wide: bool) -> None:
        """Show lines that end in CR LF, the last one without."""
        pieces, wraps = self._pieces(text.split("\r\n"), wide)
        self.work += len(pieces) * 2 + (len(text) if wide else 0)
        self._show_pieces(pieces, wraps, wide)

    def _pieces(self, lines: list[str], wide: bool) -> tuple[list[str], list[bool]]:
        """Lines cut into what one row takes, and after which pieces the line runs on."""
        columns, x = self.columns, self.cursor.x
        if not wide and max(map(len, lines)) <= columns and x + len(lines[0]) <= columns:
            return lines, [False] * len(lines)
        pieces: list[str] = []
        wraps: list[bool] = []
        room = columns - x
        for line in lines:
            cut = list(_cut(line, room, columns, wide))
            pieces += cut
            wraps += [*repeat(True, len(cut) - 1), False]
            room = columns
        return pieces, wraps

    def _show_pieces(self, pieces: list[str], wraps: list[bool], wide: bool) -> None:
        """Draw pieces until the next one would scroll, and scroll the rest in at once."""
        cursor = self.cursor
        self.draw(pieces[0])
        for at in range(1, len(pieces)):
            if cursor.y == self._bottom:
                self._scroll_in(pieces[at:], wraps[at - 1 :], wide)
                return
            if wraps[at - 1]:
                self._erase_rest()
                self._wrap()
            else:
                cursor.x = 0
                self.linefeed()
            self.draw(pieces[at])

    def _scroll_in(self, pieces: list[str], wraps: list[bool], wide: bool) -> None:
        """Scroll by as many rows as there are pieces; `wraps` starts with the row before them."""
        if wraps[0]:
            self._erase_rest()
            self._row().wrapped = True
        look, blank, columns = self.cursor.look, self.cursor.blank, self.columns
        parts = (repeat(wide), repeat(columns), repeat(look), repeat(blank))
        lines = list(zip(pieces, wraps[1:], *parts, strict=False))
        rows, height = self._rows, self.lines
        above = len(lines) - height
        if not self.alternate:
            self.history.extend(rows[: len(lines)])
            if above > 0:
                self.history.extend(lines[max(0, above - self.history.limit) : above])
        rows[:] = rows[len(lines) :] + [row_of(line) for line in lines[max(0, above) :]]
        self.cursor.x = sum(map(width, pieces[-1])) if wide else len(pieces[-1])
        self._everything_changed = True
        self.work += min(len(lines), height) * 40


def _cut(line: str, room: int, columns: int, wide: bool) -> Iterator[str]:
    """Cut a line into pieces of at most `room`, then `columns` columns; an empty line is one."""
    if not wide or len(line) * 2 <= room:
        yield line[:room]
        for at in range(room, len(line), columns):
            yield line[at : at + columns]
        return
    if is_wide(line):
        yield line[: room // 2]
        for at in range(room // 2, len(line), columns // 2):
            yield line[at : at + columns // 2]
        return
    start = taken = 0
    for at, character in enumerate(line):
        taken += width(character)
        if taken > room:
            yield line[start:at]
            start, taken, room = at, width(character), columns
    yield line[start:]
