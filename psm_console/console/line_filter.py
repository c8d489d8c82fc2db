"""The last gate before the analyst's terminal: what Textual did not make itself does not pass.

Text is made visible where it enters; this catches what some widget let through anyway, in every
strip of every widget, frames and titles too.
"""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from psm_console.domain.text import HIDDEN

from .glyphs import TO_ASCII

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class HostileText(LineFilter):
    """Replace controls, C1, bidi, zero-width and tag characters, and drop hyperlinks.

    Widths stay as they were: a filter that moved cells would let a session push its frame about.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        """Whether the terminal (or the theme) wants nothing but ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments as the terminal may have them; all control segments are dropped."""
        return [
            Segment(self._clean(text), _without_link(style))
            for text, style, control in segments
            if not control
        ]

    def _clean(self, text: str) -> str:
        if text.isascii() and text.isprintable():
            return text
        if self.ascii_only:
            return _in_ascii(text)
        if HIDDEN.search(text) is None:
            return text
        width = max(cell_len(text), 0)
        return set_cell_size(HIDDEN.sub(REPLACEMENT, text), width)


class Colourless(LineFilter):
    """Drop every colour; weight, underline and reverse stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in the terminal's own two colours."""
        return [Segment(text, _without_colour(style)) for text, style, _ in segments]


@lru_cache(4096)
def _in_ascii(text: str) -> str:
    width = max(cell_len(text), 0)
    spelled = "".join(
        letter if letter.isascii() and letter.isprintable() else "?" * max(cell_len(letter), 0)
        for letter in text.translate(TO_ASCII)
    )
    return set_cell_size(spelled, width)


@lru_cache(4096)
def _without_link(style: Style | None) -> Style | None:
    if style is None or style.link is None:
        return style
    return style.update_link(None)


_DEFAULT = RichColor.default()


@lru_cache(4096)
def _without_colour(style: Style | None) -> Style | None:
    if style is None:
        return None
    return style + Style.from_color(_DEFAULT, _DEFAULT)
