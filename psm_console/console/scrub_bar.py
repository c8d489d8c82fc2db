"""Where one is in a recording: activity, progress with idle spans, markers; three rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from . import glyphs
from .figures import sparkline
from .ink import Ink


@dataclass(frozen=True, slots=True)
class Tick:
    """A marker on the bar, `at` in seconds; `weight` 0 plain, 1 warning, 2 alert."""

    at: float
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the bar shows of a recording; all in seconds since its start."""

    duration: float
    idle: Sequence[tuple[float, float]] = ()
    ticks: Sequence[Tick] = ()
    activity: Sequence[int] = ()
    """Bytes in each of as many equal spans as there are numbers."""


class ScrubBar(Widget):
    """Activity above, progress in the middle, markers below; a click or a drag seeks."""

    class Sought(Message):
        """Somebody pointed at an instant."""

        def __init__(self, at: float) -> None:
            self.at = at
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._timeline = Timeline(0.0)
        self._at = 0.0

    def show(self, timeline: Timeline) -> None:
        """Take another recording's figures."""
        self._timeline = timeline
        self.refresh()

    def move(self, at: float) -> None:
        """Put the head at an instant; draws only when that is another column."""
        before, self._at = self.column(self._at), at
        if self.column(at) != before:
            self.refresh()

    def column(self, at: float) -> int:
        """Return the column an instant stands in."""
        if self._timeline.duration <= 0 or self.size.width < 1:
            return 0
        share = min(max(at / self._timeline.duration, 0.0), 1.0)
        return min(int(share * self.size.width), self.size.width - 1)

    def instant(self, column: int) -> float:
        """Return the instant at the middle of a column; the ends reach the very start and end."""
        width = max(self.size.width, 1)
        if column <= 0:
            return 0.0
        if column >= width - 1:
            return self._timeline.duration
        return (column + 0.5) / width * self._timeline.duration

    def render_line(self, y: int) -> Strip:
        """Draw one of the three rows."""
        ink = Ink(self.app.theme_variables)
        rows = (self._activity, self._progress, self._markers)
        strip = Strip(rows[y](ink) if y < len(rows) else [])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def _activity(self, ink: Ink) -> list[Segment]:
        width, counts = self.size.width, self._timeline.activity
        if not counts:
            return [Segment(" " * width)]
        bins = [counts[column * len(counts) // width] for column in range(width)]
        return [Segment(sparkline(bins, width), ink.style("spark"))]

    def _progress(self, ink: Ink) -> list[Segment]:
        head = self.column(self._at)
        idle = self._idle_columns()
        segments = []
        for column in range(self.size.width):
            if column == head:
                segments.append(Segment(glyphs.HEAD, ink.style("scrub-cursor", bold=True)))
                continue
            token = "scrub-played" if column < head else "scrub-rest"
            sign = glyphs.PLAYED if column < head else glyphs.REST
            sign = glyphs.IDLE if column in idle else sign
            segments.append(Segment(sign, ink.style(token)))
        return segments

    def _idle_columns(self) -> set[int]:
        """Return the columns in which nothing happened at all."""
        columns: set[int] = set()
        for start, end in self._timeline.idle:
            columns.update(range(self.column(start) + 1, self.column(end)))
        return columns

    def _markers(self, ink: Ink) -> list[Segment]:
        signs = glyphs.MARKS
        tokens = ("mark", "mark-warning", "mark-alert")
        heaviest: dict[int, int] = {}
        for tick in self._timeline.ticks:
            column = self.column(tick.at)
            heaviest[column] = max(heaviest.get(column, 0), min(tick.weight, 2))
        return [
            Segment(signs[heaviest[column]], ink.style(tokens[heaviest[column]], bold=True))
            if column in heaviest
            else Segment(" ")
            for column in range(self.size.width)
        ]

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Seek to where the button went down, and follow it."""
        self.capture_mouse()
        self.post_message(self.Sought(self.instant(event.x)))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Seek along while the button is held."""
        if self.app.mouse_captured is self:
            self.post_message(self.Sought(self.instant(event.x)))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go."""
        self.release_mouse()
