"""A list that draws only the rows in view, through the Line API; rows are values, keyed by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .line import Cell

Row = TypeVar("Row")


class VirtualList(ScrollView, Generic[Row], can_focus=True):
    """Rows under a fixed head line.

    A subclass says what a row is called (`key`), what the head shows (`head`) and what a line is
    made of (`cells`); cost is that of the rows in view, however many there are.
    """

    BINDINGS: ClassVar[list[BindingType]] = []
    cursor: reactive[int] = reactive(0, repaint=False)

    class Selected(Message):
        """The cursor stands on another row (or on none)."""

        def __init__(self, key: str | None) -> None:
            self.key = key
            super().__init__()

    class Opened(Message):
        """A row was asked for with Enter or a click on the row that had the cursor."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self._selected_key: str | None = None
        self._titles = ("", "")
        self._strips: dict[tuple[Cell, ...], Strip] = {}
        self._drawn: dict[int, tuple[Cell, ...]] = {}

    def key(self, row: Row) -> str:
        """Return what a row is called, whatever else of it changes."""
        raise AssertionError("a list must say what its rows are called")

    def head(self, width: int) -> list[Cell]:
        """Return the head line."""
        raise AssertionError("a list must have a head")

    def cells(self, row: Row, width: int, at_cursor: bool) -> list[Cell]:
        """Return a row's line."""
        raise AssertionError("a list must draw its rows")

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def replace(self, rows: Sequence[Row]) -> None:
        """Show `rows`; the cursor stays on its row, and only what changed is drawn."""
        self.rows = rows
        self.virtual_size = Size(0, len(rows) + 1)
        keys = [self.key(row) for row in rows]
        if self._selected_key in keys:
            self.cursor = keys.index(self._selected_key)
        else:
            self.cursor = min(self.cursor, max(len(rows) - 1, 0))
        self._announce()
        self.redraw()

    def entitle(self, title: str, subtitle: str) -> None:
        """Name the list on its border; only another name draws it anew."""
        if (title, subtitle) != self._titles:
            self._titles = (title, subtitle)
            self.border_title, self.border_subtitle = Content(title), Content(subtitle)

    def select(self, key: str) -> bool:
        """Put the cursor on the row called `key`; False when there is none."""
        for index, row in enumerate(self.rows):
            if self.key(row) == key:
                self.move_to(index)
                return True
        return False

    def redraw(self) -> None:
        """Refresh the lines in view whose content is not what was drawn last."""
        for y in range(self.size.height):
            if self._drawn.get(y) != self._line(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def forget_styles(self) -> None:
        """Draw everything anew, after a change of theme."""
        self._strips.clear()
        self._drawn.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the view; the first is the head."""
        line = self._line(y)
        self._drawn[y] = line
        strip = self._strips.get(line)
        if strip is None:
            if len(self._strips) > 1000:
                self._strips.clear()
            segments = [Segment(text, style) for text, style in line if text]
            strip = Strip(segments).adjust_cell_length(self.size.width, self.rich_style)
            strip = strip.apply_style(self.rich_style)
            self._strips[line] = strip
        return strip

    def _line(self, y: int) -> tuple[Cell, ...]:
        width = self.size.width
        if y == 0:
            return tuple(self.head(width))
        index = y - 1 + self.scroll_offset.y
        if not 0 <= index < len(self.rows):
            return ((" " * width, self.rich_style),)
        return tuple(self.cells(self.rows[index], width, index == self.cursor))

    def move_to(self, index: int) -> None:
        """Put the cursor on a row and bring it into view."""
        if not self.rows:
            return
        self.cursor = min(max(index, 0), len(self.rows) - 1)
        self._announce()
        self._bring_into_view()
        self.redraw()

    def move_by(self, rows: int) -> None:
        """Move the cursor."""
        self.move_to(self.cursor + rows)

    @property
    def page(self) -> int:
        """How many rows fit."""
        return max(self.size.height - 1, 1)

    def _bring_into_view(self) -> None:
        top = round(self.scroll_target_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.page:
            self.scroll_to(y=self.cursor - self.page + 1, animate=False, force=True)

    def _announce(self) -> None:
        row = self.current
        key = self.key(row) if row is not None else None
        if key != self._selected_key:
            self._selected_key = key
            self.post_message(self.Selected(key))

    def on_resize(self, event: events.Resize) -> None:
        """Lines are cut to the width: none of the old ones fits."""
        self._strips.clear()
        self._drawn.clear()
        self._bring_into_view()

    def on_click(self, event: events.Click) -> None:
        """Select on a click, open on a click on the selected row."""
        index = event.y - 1 + self.scroll_offset.y
        if event.y == 0 or not 0 <= index < len(self.rows):
            return
        if index == self.cursor and event.chain == 2:
            self.post_message(self.Opened(self.key(self.rows[index])))
        self.move_to(index)

    def open_current(self) -> None:
        """Ask for the row under the cursor."""
        row = self.current
        if row is not None:
            self.post_message(self.Opened(self.key(row)))
