"""The frame around a watched terminal: ours, outside what the session can draw on."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from . import glyphs
from .terminal_view import TerminalView


class SessionFrame(Vertical):
    """A border that says whose screen this is and what part of it; the terminal is inside.

    Title and subtitle are ours alone: nothing that a session printed gets into them.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = TerminalView()
        self._marked = ("", "")
        self._crop_told = ""

    def compose(self) -> ComposeResult:
        """Hold the terminal."""
        yield self.view

    def mark(self, standing: str, title: str) -> None:
        """Colour the frame for a standing (`live`, `paused`, `lost`, or none) and name it."""
        if (standing, title) == self._marked:
            return
        self._marked = (standing, title)
        for name in ("live", "paused", "lost"):
            self.set_class(name == standing, f"-{name}")
        self.border_title = Content(title)

    def tell_crop(self) -> None:
        """Say how large the terminal is and which part of it is shown."""
        shape, crop = self.view.shape, self.view.crop
        text = f"{shape.width}{glyphs.TIMES}{shape.height}"
        if self.view.cut:
            dash = glyphs.DASH
            text += (
                f" {glyphs.SEPARATOR} columns {crop.x + 1}{dash}{crop.right}"
                f" rows {crop.y + 1}{dash}{crop.bottom}"
            )
            text += "" if self.view.following else f" {glyphs.SEPARATOR} held, 0 follows"
        if text != self._crop_told:
            self._crop_told = text
            self.border_subtitle = Content(text)

    def on_terminal_view_resized(self, event: TerminalView.Resized) -> None:
        """Fit around the terminal's new size."""
        self.call_after_refresh(self.tell_crop)

    def on_terminal_view_panned(self, event: TerminalView.Panned) -> None:
        """Tell the new crop."""
        self.tell_crop()
