"""A room that is a list: walking it, narrowing it, sorting it."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from .notice import Notice
from .room import Room
from .virtual_list import VirtualList
from .workplace import Workplace


class ListRoom(Room):
    """Holds one virtual list with a filter under it; a subclass says what `arrange` shows."""

    orders: tuple[str, ...] = ()
    """What the list can be sorted by; the first is the order it starts with."""
    placeholder = ""

    def __init__(self, place: Workplace, rows: VirtualList[Any]) -> None:
        super().__init__(place)
        self.rows = rows
        self.order = self.orders[0]

    def list_parts(self) -> ComposeResult:
        """Yield the list, what stands there when it is empty, and the filter."""
        yield self.rows
        yield Notice(id="empty")
        yield Input(id="filter", placeholder=self.placeholder, compact=True)

    def on_mount(self) -> None:
        """Start with the list in focus and no filter."""
        self._field.display = False
        self.rows.focus()

    def show_rows(self) -> None:
        """Show what the filter lets through, in order."""
        raise AssertionError("a list must be arranged")

    @property
    def _field(self) -> Input:
        return self.query_one("#filter", Input)

    @property
    def filter_words(self) -> str:
        """What is in the filter."""
        return self._field.value

    def tell_empty(self, sentence: str) -> None:
        """Say why there is nothing, in place of the rows."""
        empty = self.query_one("#empty", Notice)
        empty.display = not self.rows.rows
        empty.say(Content(sentence))

    def go_back(self) -> None:
        """Clear the filter."""
        self._field.value = ""
        self._field.display = False
        self.rows.focus()

    def action_list_filter(self) -> None:
        """Ask for words."""
        self._field.display = True
        self._field.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self) -> None:
        self.filter_changed()

    def filter_changed(self) -> None:
        """Take another filter."""
        self.show_rows()

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        self._field.display = bool(self._field.value)
        self.rows.focus()

    def action_list_sort(self) -> None:
        """Sort by the next order."""
        at = self.orders.index(self.order)
        self.order = self.orders[(at + 1) % len(self.orders)]
        self.show_rows()

    def action_list_down(self) -> None:
        """Next row."""
        self.rows.move_by(1)

    def action_list_up(self) -> None:
        """Row before."""
        self.rows.move_by(-1)

    def action_list_top(self) -> None:
        """First row."""
        self.rows.move_to(0)

    def action_list_bottom(self) -> None:
        """Last row."""
        self.rows.move_to(len(self.rows.rows) - 1)

    def action_list_page_down(self) -> None:
        """A page further."""
        self.rows.move_by(self.rows.page)

    def action_list_page_up(self) -> None:
        """A page back."""
        self.rows.move_by(-self.rows.page)
