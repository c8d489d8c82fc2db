"""Pieces of a hand-drawn line: text of an exact width in cells."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.style import Style

Cell = tuple[str, Style]
"""A piece of a line: text of its final width, and its style."""


def fit(text: str, width: int) -> str:
    """Return `text` in exactly `width` cells; what is cut ends in an ellipsis and a blank."""
    if width <= 0:
        return ""
    if cell_len(text) < width:
        return set_cell_size(text, width)
    if width < 3:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 2) + "… "
