"""A row of cells as two dense lists, and rows and buffer as pyte's users read them.

A cell's text is its character with everything attached to it, `""` for the right half of a wide
character. The lists are always as long as the screen is wide.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

import pyte.screens

from psm_console.terminal.attributes import PLAIN, Attributes, Char

SHARED = 1
COMPLEX = 2


class Row:
    """One line of the screen. Who writes must look at `care` first."""

    __slots__ = ("care", "looks", "text", "wrapped")

    def __init__(self, text: list[str], looks: list[Attributes], care: int = 0) -> None:
        self.text = text
        self.looks = looks
        self.care = care
        """SHARED: an empty row that stands in many places, copy it before writing.
        COMPLEX: there may be wide characters or attached ones."""
        self.wrapped = False
        """Whether the text runs on in the next row."""

    def copy(self) -> Row:
        """A row of its own with the same cells."""
        twin = Row(self.text.copy(), self.looks.copy(), self.care & ~SHARED)
        twin.wrapped = self.wrapped
        return twin

    def fitted(self, columns: int) -> Row:
        """A row of its own, cut or filled to this width; half a wide character is blanked."""
        row = self.copy()
        missing = columns - len(row.text)
        if missing > 0:
            row.text += [" "] * missing
            row.looks += [PLAIN] * missing
        elif missing < 0:
            row.split_at(columns)
            del row.text[columns:], row.looks[columns:]
            row.wrapped = False
        return row

    def split_at(self, x: int) -> None:
        """Blank the wide character that has one half on each side of column x, if there is one."""
        if self.care and 0 < x < len(self.text) and self.text[x] == "":
            self.text[x - 1] = self.text[x] = " "

    def plain_text(self) -> str:
        """The row's characters with what is attached to them, without trailing blanks."""
        return "".join(self.text).rstrip(" ")


class RowView(MutableMapping[int, Char]):
    """A row as pyte's users read it: a mapping of column to `Char`, made when somebody asks."""

    __slots__ = ("_reversed", "_rows", "_y")

    def __init__(self, rows: list[Row], y: int, screen_reversed: bool = False) -> None:
        self._rows = rows
        self._y = y
        self._reversed = screen_reversed

    def __getitem__(self, x: int) -> Char:
        row = self._rows[self._y]
        if not 0 <= x < len(row.text):
            return Char(" ", reverse=self._reversed)
        look = row.looks[x]
        if self._reversed:
            look = look._replace(reverse=not look.reverse)
        return Char.of(row.text[x], look)

    def __setitem__(self, x: int, char: pyte.screens.Char) -> None:
        row = self._rows[self._y]
        if 0 <= x < len(row.text):
            row = self._rows[self._y] = row.copy()
            row.text[x] = char.data
            row.looks[x] = char.look if isinstance(char, Char) else Attributes(*char[1:])
            row.care = COMPLEX

    def __delitem__(self, x: int) -> None:
        self[x] = Char(" ")

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._rows[self._y].text)


class Buffer(MutableMapping[int, RowView]):
    """The screen's rows as pyte's users read them: `buffer[y][x]`."""

    __slots__ = ("_reversed", "_rows")

    def __init__(self, rows: list[Row], screen_reversed: bool) -> None:
        self._rows = rows
        self._reversed = screen_reversed

    def __getitem__(self, y: int) -> RowView:
        if not 0 <= y < len(self._rows):
            raise KeyError(y)
        return RowView(self._rows, y, self._reversed)

    def __setitem__(self, y: int, row: RowView) -> None:
        for x in self[y]:
            self[y][x] = row[x]

    def __delitem__(self, y: int) -> None:
        for x in self[y]:
            del self[y][x]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._rows)))

    def __len__(self) -> int:
        return len(self._rows)
