"""Tab stops: a sorted set of columns that finds the next one at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, MutableSet


class TabStops(MutableSet[int]):
    """Columns, from 0, at which HT stops."""

    __slots__ = ("_columns", "standard")

    def __init__(self, columns: Iterable[int]) -> None:
        self._columns = sorted(columns)
        self.standard = False
        """Whether these are still the stops after power-up."""

    @classmethod
    def every_eight(cls, columns: int) -> TabStops:
        """The stops of a screen this wide after power-up."""
        stops = cls(())
        stops._columns = list(range(8, columns, 8))
        stops.standard = True
        return stops

    def after(self, x: int, count: int, last: int) -> int:
        """The count-th stop behind column x, or the last column."""
        at = bisect_right(self._columns, x) + count - 1
        return min(self._columns[at], last) if at < len(self._columns) else last

    def before(self, x: int, count: int) -> int:
        """The count-th stop before column x, or the first column."""
        at = bisect_left(self._columns, x) - count
        return self._columns[at] if at >= 0 else 0

    def add(self, value: int) -> None:
        """Set a stop."""
        if value not in self:
            insort(self._columns, value)
            self.standard = False

    def discard(self, value: int) -> None:
        """Clear a stop if there is one."""
        if value in self:
            self._columns.remove(value)
            self.standard = False

    def clear(self) -> None:
        """Clear all stops."""
        self._columns.clear()
        self.standard = False

    def __contains__(self, value: object) -> bool:
        return value in self._columns

    def __iter__(self) -> Iterator[int]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
