"""A watched terminal, drawn at its own size through a crop; what it prints stays inside."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from psm_console.terminal import Screen

from .cells import CellPainter
from .ink import Ink


class TerminalView(Widget, can_focus=False):
    """Shows a `terminal.Screen` that somebody else feeds under `lock`.

    Rows are made into strips once, when they changed and are in view; `collect` does that on a
    tick, and only what changed is drawn.
    """

    class Resized(Message):
        """The watched terminal has another size now."""

        def __init__(self, columns: int, rows: int) -> None:
            self.columns, self.rows = columns, rows
            super().__init__()

    class Panned(Message):
        """The crop moved."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        """Whether the crop follows the cursor."""
        self._screen: Screen | None = None
        self._lock: AbstractContextManager[object] = threading.Lock()
        self._strips: dict[int, Strip] = {}
        self._shape = Size(0, 0)
        self._crop = (0, 0)
        self._cursor: tuple[int, int] | None = None
        self._painter: CellPainter | None = None

    def show(self, screen: Screen | None, lock: AbstractContextManager[object]) -> None:
        """Draw another terminal from now on; None draws nothing."""
        self._screen, self._lock = screen, lock
        self._shape, self._crop, self._cursor = Size(0, 0), (0, 0), None
        self._strips.clear()
        self.collect()
        self.refresh()

    @property
    def watched(self) -> Screen | None:
        """What is drawn."""
        return self._screen

    @property
    def shape(self) -> Size:
        """The watched terminal's size in cells; 0 × 0 when there is none."""
        return self._shape

    @property
    def crop(self) -> Region:
        """The part of it that is in view, in its cells."""
        x, y = self._crop
        width, height = min(self.size.width, self._shape.width), self.size.height
        return Region(x, y, width, min(height, self._shape.height))

    @property
    def cut(self) -> bool:
        """Whether some of it is out of view."""
        return self.crop.size != self._shape

    def collect(self) -> int:
        """Take over what changed, ask for it to be drawn; return how many rows that is."""
        screen = self._screen
        if screen is None:
            return 0
        if self._painter is None:
            self._painter = CellPainter(Ink(self.app.theme_variables))
        with self._lock:
            self._take_shape(screen)
            dirty = set(screen.dirty)
            screen.dirty.clear()
            self._take_cursor(screen)
            for row in dirty:
                self._strips.pop(row, None)
            self._make_rows(screen, self._painter)
        for row in dirty:
            self._refresh_row(row)
        return len(dirty)

    def _take_shape(self, screen: Screen) -> None:
        shape = Size(screen.columns, screen.lines)
        if shape != self._shape:
            self._shape = shape
            self._strips.clear()
            # As large as the watched terminal; the frame around it says how much of that fits.
            self.styles.width, self.styles.height = shape
            self.post_message(self.Resized(*shape))

    def _take_cursor(self, screen: Screen) -> None:
        before = self._cursor
        x, y = min(screen.cursor.x, screen.columns - 1), screen.cursor.y
        self._cursor = (x, y) if screen.cursor_visible else None
        if self.following:
            self._follow(x, y, screen.cursor_visible)
        if before != self._cursor:
            for place in (before, self._cursor):
                if place is not None:
                    self._refresh_row(place[1])

    def _make_rows(self, screen: Screen, painter: CellPainter) -> None:
        top = self._crop[1]
        for row in range(top, min(top + self.size.height, screen.lines)):
            if row not in self._strips:
                self._strips[row] = painter.strip(screen, row)

    def _follow(self, x: int, y: int, visible: bool) -> None:
        """Keep the cursor in view; a full-screen program hides it and jumps about, so stay then."""
        if visible or not self._shape.width:
            self._move_crop(
                _keep(self._crop[0], x, self.size.width, self._shape.width),
                _keep(self._crop[1], y, self.size.height, self._shape.height),
            )
        else:
            self._move_crop(*self._crop)

    def _move_crop(self, x: int, y: int) -> None:
        x = min(max(x, 0), max(self._shape.width - self.size.width, 0))
        y = min(max(y, 0), max(self._shape.height - self.size.height, 0))
        if (x, y) != self._crop:
            self._crop = (x, y)
            self.refresh()
            self.post_message(self.Panned())

    def pan(self, right: int, down: int) -> None:
        """Move the crop by cells and stop following the cursor."""
        self.following = False
        self._move_crop(self._crop[0] + right, self._crop[1] + down)
        self.collect()

    def follow(self) -> None:
        """Follow the cursor again."""
        self.following = True
        self.collect()
        self.post_message(self.Panned())

    def forget_styles(self) -> None:
        """Draw everything anew, after a change of theme."""
        self._painter = None
        self._strips.clear()
        self.collect()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Another part may be in view now."""
        self._move_crop(*self._crop)
        self.collect()
        self.refresh()

    def _refresh_row(self, row: int) -> None:
        y = row - self._crop[1]
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw one line of the crop."""
        painter = self._painter or CellPainter(Ink(self.app.theme_variables))
        x, top = self._crop
        width = self.size.width
        strip = self._strips.get(top + y)
        if strip is None or top + y >= self._shape.height:
            return Strip([Segment(" " * width, painter.outside)], width)
        if self._cursor is not None and self._cursor[1] == top + y:
            strip = _with_cursor(strip, self._cursor[0], painter)
        return strip.crop(x, x + width).adjust_cell_length(width, painter.outside)


def _keep(start: int, place: int, visible: int, whole: int) -> int:
    """Return where a window of `visible` cells must start so that `place` is well inside it."""
    if place < visible or visible <= 0:
        return 0
    if start <= place < start + visible:
        return start
    return min(place - visible + 1 + visible // 4, whole - visible)


def _with_cursor(strip: Strip, x: int, painter: CellPainter) -> Strip:
    before, cell, after = strip.crop(0, x), strip.crop(x, x + 1), strip.crop(x + 1)
    marked = Strip([Segment(text, painter.cursor(style)) for text, style, _ in cell])
    return Strip.join([before, marked, after])
