"""The line at the top: where one is, whether the broker lives, who one is, what time it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from . import glyphs
from .ink import Ink
from .line import Cell


@dataclass(frozen=True, slots=True)
class Standing:
    """What the bar tells beside the tabs."""

    broker: bool = True
    who: str = ""
    read_only: bool = False
    clock: str = ""
    attention: int = 0
    """How many sessions somebody should look at."""
    invitation: str = ""
    """What to type elsewhere to take part; shown where there is room."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A room that a number key leads to; `count` is what it holds, None when not known yet."""

    key: str
    mode: str
    title: str
    count: int | None = None


class TopBar(Widget):
    """Tabs left, standing right; the least important goes first where it is narrow."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, mode: str) -> None:
            self.mode = mode
            super().__init__()

    def __init__(self, active: str) -> None:
        super().__init__()
        self._active = active
        self._tabs: Sequence[Tab] = ()
        self._standing = Standing()

    def show(self, tabs: Sequence[Tab], standing: Standing) -> None:
        """Take new figures; draws only when they differ."""
        if (tuple(tabs), standing) != (tuple(self._tabs), self._standing):
            self._tabs, self._standing = tuple(tabs), standing
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        ink = Ink(self.app.theme_variables)
        left, right = self._left(ink), self._right(ink)
        room = self.size.width - sum(cell_len(text) for text, _ in left)
        while len(right) > 1 and sum(cell_len(text) for text, _ in right) > room - 1:
            right = right[1:]
        gap = max(room - sum(cell_len(text) for text, _ in right), 0)
        cells = [*left, (" " * gap, ink.style("text-quiet", "bar-bg")), *right]
        strip = Strip([Segment(text, style) for text, style in cells if text])
        return strip.adjust_cell_length(self.size.width, ink.style("text-quiet", "bar-bg"))

    def _left(self, ink: Ink) -> list[Cell]:
        cells = [(f" {glyphs.BRAND} psm ", ink.style("key", "bar-bg", bold=True))]
        for tab in self._tabs:
            text = self._label(tab)
            if tab.mode == self._active:
                cells.append((text, ink.style("row-cursor-fg", "row-cursor-bg", bold=True)))
            else:
                cells.append((text, ink.style("foreground", "bar-bg")))
        return cells

    def _label(self, tab: Tab) -> str:
        count = "" if tab.count is None else f" {tab.count}"
        return f" {tab.key} {tab.title}{count} "

    def _right(self, ink: Ink) -> list[Cell]:
        """Return what stands right, the first to go first."""
        standing, cells = self._standing, []
        quiet = ink.style("text-quiet", "bar-bg")
        if standing.invitation:
            cells.append((f" join: {standing.invitation} ", ink.style("key", "bar-bg")))
        if standing.read_only:
            cells.append((" read-only ", ink.style("state-paused", "bar-bg", bold=True)))
        cells.append((f" {standing.who} ", quiet))
        cells.append((f" {standing.clock} ", quiet))
        if standing.attention:
            text = f" {glyphs.ATTENTION} {standing.attention} to look at "
            cells.append((text, ink.style("attention", "bar-bg", bold=True)))
        sign, token = (
            (f"{glyphs.DOT} broker", "state-active")
            if standing.broker
            else (f"{glyphs.BAD} no broker", "state-lost")
        )
        cells.append((f" {sign} ", ink.style(token, "bar-bg", bold=not standing.broker)))
        return cells

    def on_click(self, event: events.Click) -> None:
        """Go to the tab under the pointer."""
        x = cell_len(f" {glyphs.BRAND} psm ")
        for tab in self._tabs:
            width = cell_len(self._label(tab))
            if x <= event.x < x + width:
                self.post_message(self.Chosen(tab.mode))
                return
            x += width
