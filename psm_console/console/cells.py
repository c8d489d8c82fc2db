"""Cells of a watched terminal as strips: the emulator's words for colours become the theme's."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from psm_console.domain.text import HIDDEN
from psm_console.terminal import Screen
from psm_console.terminal.attributes import Attributes

from .ink import Ink

_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
_TOKENS = {name: f"term-{index}" for index, name in enumerate(_NAMES)} | {
    f"bright{name}": f"term-{index + 8}" for index, name in enumerate(_NAMES)
}
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class CellPainter:
    """Makes a row's strip; every cell keeps its width, or a session could push the frame about."""

    def __init__(self, ink: Ink) -> None:
        self._ink = ink
        self._styles: dict[Attributes, Style] = {}

    def strip(self, screen: Screen, row: int) -> Strip:
        """Return the strip of a row, exactly as wide as the screen."""
        segments = [
            Segment(self._safe(text), self._style(look)) for text, look in screen.row_runs(row)
        ]
        if sum(segment.cell_length for segment in segments) != screen.columns:
            segments = self._cell_by_cell(screen, row)
        return Strip(segments).adjust_cell_length(screen.columns, self.blank)

    def _cell_by_cell(self, screen: Screen, row: int) -> list[Segment]:
        """Return the row where the emulator and Textual differ about how wide something is."""
        cells = screen.buffer[row]
        texts = [cells[x].data for x in range(screen.columns)] + [" "]
        return [
            Segment(fitted(text, 2 if texts[x + 1] == "" else 1), self._style(cells[x].look))
            for x, text in enumerate(texts[:-1])
            if text
        ]

    @property
    def blank(self) -> Style:
        """The style of an empty cell."""
        return self._ink.style("term-fg", "term-bg")

    @property
    def outside(self) -> Style:
        """The style of what lies beyond the watched terminal's edge."""
        return self._ink.style("scrub-rest", "background")

    def cursor(self, style: Style | None) -> Style:
        """Return how a cell looks with the cursor on it."""
        return (style or self.blank) + self._ink.style("term-bg", "term-cursor")

    def _safe(self, text: str) -> str:
        """Take out what would be obeyed or not seen; the emulator says how wide the rest is."""
        if text.isascii() and text.isprintable():
            return text
        return HIDDEN.sub("", text)

    def _style(self, look: Attributes) -> Style:
        style = self._styles.get(look)
        if style is None:
            if len(self._styles) > 4096:
                self._styles.clear()
            style = self._styles[look] = self._made(look)
        return style

    def _made(self, look: Attributes) -> Style:
        front = self._colour(look.fg, "term-fg")
        back = self._colour(look.bg, "term-bg")
        if look.bold and look.fg in _NAMES:
            front = self._ink.hex(_TOKENS["bright" + look.fg])
        if look.reverse:
            front, back = back, front
        # Concealed text is evidence too: it is shown, struck through and dim.
        return Style(
            color=front,
            bgcolor=back,
            bold=look.bold or None,
            italic=look.italics or None,
            underline=look.underscore or None,
            strike=look.strikethrough or look.conceal or None,
            dim=look.dim or look.conceal or None,
        )

    def _colour(self, name: str, default: str) -> str:
        if name == "default":
            return self._ink.hex(default)
        if name in _TOKENS:
            return self._ink.hex(_TOKENS[name])
        return f"#{name}" if len(name) == 6 else self._ink.hex(default)


def fitted(text: str, width: int) -> str:
    """Return a cell's text in exactly `width` cells."""
    clean = HIDDEN.sub("", text) or " "
    if cell_len(clean) > width:
        clean = clean[0] if cell_len(clean[0]) <= width else REPLACEMENT
    return set_cell_size(clean, width)
