"""The lines that left the top of the main screen, oldest first, at most a fixed number of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import overload

from psm_console.terminal.rows import Row, RowView


class Scrollback(Sequence[RowView]):
    """Rows to read; index 0 is the oldest. They keep the width they had when they left."""

    __slots__ = ("lines",)

    def __init__(self, limit: int) -> None:
        self.lines: deque[Row] = deque(maxlen=max(0, limit))
        """The rows themselves; nobody writes into them."""

    @property
    def limit(self) -> int:
        """How many lines are kept."""
        return self.lines.maxlen or 0

    def texts(self) -> list[str]:
        """The text of each line, without trailing blanks."""
        return [row.plain_text() for row in self.lines]

    @overload
    def __getitem__(self, index: int) -> RowView: ...

    @overload
    def __getitem__(self, index: slice) -> list[RowView]: ...

    def __getitem__(self, index: int | slice) -> RowView | list[RowView]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self.lines)))]
        return RowView([self.lines[index]], 0)

    def __len__(self) -> int:
        return len(self.lines)
