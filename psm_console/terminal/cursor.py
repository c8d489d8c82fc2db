"""Where the next character goes and how it will look, and what DECSC keeps of that."""

from __future__ import annotations

from typing import NamedTuple

import pyte.screens

from psm_console.terminal.attributes import PLAIN, Attributes, Char


class Cursor(pyte.screens.Cursor):
    """pyte's cursor; `x` equals the number of columns while a wrap is pending.

    Set `look` through `paint`, which also works out `blank`, the look of cells that are erased now
    (background colour erase, xterm ctlseqs).
    """

    __slots__ = ("blank", "look")

    def __init__(self, x: int, y: int) -> None:
        self.look = self.blank = PLAIN
        super().__init__(x, y)

    def paint(self, look: Attributes) -> None:
        """Draw with this look from now on."""
        self.look = look
        self.blank = blank_of(look)

    @property
    def attrs(self) -> Char:
        """The look as pyte's users read it, on a blank."""
        return Char.of(" ", self.look)

    @attrs.setter
    def attrs(self, char: pyte.screens.Char) -> None:
        self.paint(char.look if isinstance(char, Char) else Attributes(*char[1:]))


def blank_of(look: Attributes) -> Attributes:
    """The look of a cell erased while this look is set: its background, nothing else."""
    return PLAIN if look.bg == "default" else Attributes(bg=look.bg)


Charsets = tuple[str, str, str, str]
"""The sets designated as G0 to G3, by their final characters."""
US_ASCII: Charsets = ("B", "B", "B", "B")


class SavedCursor(NamedTuple):
    """What DECSC keeps (DEC STD 070 D.5, xterm ctlseqs)."""

    x: int = 0
    y: int = 0
    look: Attributes = PLAIN
    charsets: Charsets = US_ASCII
    charset: int = 0
    origin: bool = False


NOTHING_SAVED = SavedCursor()
