"""Styles for lines drawn by hand, from the theme's tokens."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.color import Color, ColorParseError

from .themes import TOKENS


class Ink:
    """Makes and keeps Rich styles by token name; a new theme needs a new Ink."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._styles: dict[tuple[str, str, bool, bool, bool], Style] = {}

    def style(
        self,
        token: str,
        background: str = "",
        *,
        bold: bool = False,
        dim: bool = False,
        reverse: bool = False,
    ) -> Style:
        """Return the style that writes `token` on `background` (none: the widget's)."""
        key = (token, background, bold, dim, reverse)
        if key not in self._styles:
            self._styles[key] = Style(
                color=self.hex(token),
                bgcolor=self.hex(background) if background else None,
                bold=bold or None,
                dim=dim or None,
                reverse=reverse or None,
            )
        return self._styles[key]

    def hex(self, token: str) -> str:
        """Return a token's colour as `#rrggbb`; one that is not a plain colour gets its default."""
        try:
            return Color.parse(self._variables[token]).hex6
        except (KeyError, ColorParseError):
            return TOKENS.get(token, "#808080")
