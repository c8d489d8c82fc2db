"""The lines that left the top of the main screen, oldest first, at most a fixed number of them.

A flood puts its lines in as text, because nobody reads most of them; they become rows when read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from psm_console.terminal.attributes import Attributes
from psm_console.terminal.rows import COMPLEX, Row, RowView
from psm_console.terminal.widths import width

PlainLine = tuple[str, bool, bool, int, Attributes, Attributes]
"""A line of one look that starts in column 0 of an empty row.

Its text, whether it runs on in the next row, whether it may hold characters of two columns, the
row's columns, its look, and the look of the cells behind the text.
"""


def row_of(line: Row | PlainLine) -> Row:
    """The row that shows it."""
    if isinstance(line, Row):
        return line
    text, wrapped, wide, columns, look, blank = line
    cells = list(text)
    if wide:
        cells = [half for cell in cells for half in ((cell, "") if width(cell) == 2 else cell)]
    empty = columns - len(cells)
    looks = [look] * len(cells) + [blank] * empty
    row = Row(cells + [" "] * empty, looks, COMPLEX if wide else 0)
    row.wrapped = wrapped
    return row


class Scrollback(Sequence[RowView]):
    """Rows to read; index 0 is the oldest. They keep the width they had when they left."""

    __slots__ = ("_lines", "append")

    def __init__(self, limit: int) -> None:
        self._lines: deque[Row | PlainLine] = deque(maxlen=max(0, limit))
        self.append: Callable[[Row], None] = self._lines.append
        """Take a line that leaves the screen; the oldest goes when there are too many."""

    @property
    def limit(self) -> int:
        """How many lines are kept."""
        return self._lines.maxlen or 0

    def texts(self) -> list[str]:
        """The text of each line, without trailing blanks."""
        return [
            line.plain_text() if isinstance(line, Row) else line[0].rstrip(" ")
            for line in self._lines
        ]

    def rows(self) -> Iterator[Row]:
        """The rows themselves, to be read only."""
        return map(row_of, self._lines)

    def extend(self, lines: Iterable[Row | PlainLine]) -> None:
        """Take lines that leave the screen, oldest first."""
        self._lines.extend(lines)

    def lines(self) -> list[Row | PlainLine]:
        """The lines as they are kept, oldest first."""
        return list(self._lines)

    def replace(self, lines: Iterable[Row | PlainLine]) -> None:
        """Keep these lines instead."""
        self._lines.clear()
        self._lines.extend(lines)

    def pop(self) -> Row:
        """Give the newest line back. Raises IndexError when there is none."""
        return row_of(self._lines.pop())

    def clear(self) -> None:
        """Forget all lines (ED 3)."""
        self._lines.clear()

    @overload
    def __getitem__(self, index: int) -> RowView: ...

    @overload
    def __getitem__(self, index: slice) -> list[RowView]: ...

    def __getitem__(self, index: int | slice) -> RowView | list[RowView]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self._lines)))]
        return RowView([row_of(self._lines[index])], 0)

    def __len__(self) -> int:
        return len(self._lines)
