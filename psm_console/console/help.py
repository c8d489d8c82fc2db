"""Help: every key, what it does, and the command that does the same; searchable."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from psm_console.operations.actions import ACTIONS, Act, Scope

from .acts import written_keys

HANG = 30
"""Cells of key and title."""
TITLES = {
    Scope.ORDER: "On a live session",
    Scope.LIVE: "In the live list",
    Scope.LIBRARY: "In the library",
    Scope.LIST: "In any list",
    Scope.SHADOW: "While shadowing",
    Scope.REPLAY: "While replaying",
    Scope.GLOBAL: "Anywhere",
}


class HelpScreen(ModalScreen[None]):
    """Lists the acts by where they work, those of this screen first; typing narrows the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "scroll(1)", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(10)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
    ]

    def __init__(self, here: tuple[Scope, ...]) -> None:
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        """A search field above the keys."""
        with Vertical(id="dialog"):
            yield Static(Content("What the keys do"), id="title")
            yield Input(placeholder="type to search; esc closes", id="search", compact=True)
            with VerticalScroll(id="keys", can_focus=False):
                yield Static(id="list")

    def on_mount(self) -> None:
        """Show all."""
        self.query_one("#search").focus()
        self.call_after_refresh(self._show, "")

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._show(event.value)

    def _show(self, words: str) -> None:
        wanted = words.casefold().split()
        scopes = sorted(TITLES, key=lambda scope: scope not in self._here)
        width = self.query_one("#list").size.width or 72
        pieces = []
        for scope in scopes:
            found = [act for act in ACTIONS if act.keys and scope in act.scopes]
            found = [act for act in found if _has(act, scope, wanted)]
            if found:
                pieces.append(_paragraph(scope, found, width))
        nothing = Content("No key does that; esc closes this.")
        self.query_one("#list", Static).update(Content("\n\n").join(pieces) if pieces else nothing)

    def action_scroll(self, lines: int) -> None:
        """Scroll the list without leaving the field."""
        self.query_one("#keys").scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def _paragraph(scope: Scope, acts: list[Act], width: int) -> Content:
    lines = [Content.styled(TITLES[scope], "bold $key")]
    for act in acts:
        pieces = textwrap.wrap(act.description, max(width - HANG, 20))
        lines.append(
            Content.assemble(
                (f"  {written_keys(act):<12} ", "bold $text-strong"),
                (f"{act.title:<14} ", "$foreground"),
                (pieces[0], "$text-quiet"),
            )
        )
        lines += [Content.styled(" " * HANG + piece, "$text-quiet") for piece in pieces[1:]]
        if act.cli:
            lines.append(Content.styled(" " * HANG + act.cli, "italic $text-quiet"))
    return Content("\n").join(lines)


def _has(act: Act, scope: Scope, wanted: list[str]) -> bool:
    pieces = (act.title, act.description, act.id, act.cli or "", written_keys(act), TITLES[scope])
    text = " ".join(pieces).casefold()
    return all(word in text for word in wanted)
