"""Draws an emulator's screen on a real terminal, cell by cell.

The law of this file: no byte of a recording is written. Only text of cells, filtered once more,
and control sequences made here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from psm_console.domain.text import HIDDEN, visible
from psm_console.terminal import Attributes, Screen

_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
_HEX = re.compile(r"[0-9a-f]{6}")
ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"


class Painter:
    """A terminal of `columns` × `rows` whose last row is a status line.

    Each `paint` looks only at the rows that the screen calls dirty (and cleans them), and writes
    only those that differ; what does not fit is cropped so that the cursor stays in sight.
    """

    def __init__(self, descriptor: int, *, colours: bool) -> None:
        self._descriptor = descriptor
        self._colours = colours
        self._drawn: dict[int, str] = {}
        self._screen: Screen | None = None
        self._cursor = -1
        self._left = 0
        self._top = 0
        self._size = (0, 0)

    @property
    def resized(self) -> bool:
        """Whether the terminal has another size than at the last `paint`."""
        return tuple(os.get_terminal_size(self._descriptor)) != self._size

    def paint(self, screen: Screen, status: str) -> None:
        """Show `screen` and, below it, one line of our own."""
        size = os.get_terminal_size(self._descriptor)
        if size != self._size:
            self._size = (size.columns, size.lines)
            self._drawn.clear()
            self._write("\x1b[0m\x1b[2J")
        columns, rows = size.columns, max(size.lines - 1, 0)
        crop = (self._left, self._top)
        self._follow(screen, columns, rows)
        if screen is not self._screen or crop != (self._left, self._top):
            screen.dirty.update(range(screen.lines))
            self._screen = screen
        screen.dirty.update({self._cursor, screen.cursor.y})
        self._cursor = screen.cursor.y
        wanted = {
            y: self._row(screen, self._top + y, columns)
            if self._top + y in screen.dirty or y not in self._drawn
            else self._drawn[y]
            for y in range(min(rows, screen.lines - self._top))
        }
        screen.dirty.clear()
        wanted[rows] = f"\x1b[0;7m{visible(status, columns).ljust(columns)[:columns]}"
        self._write("".join(self._changes(wanted, rows)))
        self._drawn = wanted

    def _changes(self, wanted: dict[int, str], status_row: int) -> Iterator[str]:
        for y, text in wanted.items():
            if self._drawn.get(y) != text:
                rest = "" if y == status_row else "\x1b[K"
                yield f"\x1b[{y + 1};1H\x1b[0m{text}\x1b[0m{rest}"
        for y in self._drawn:
            if y not in wanted:
                yield f"\x1b[{y + 1};1H\x1b[0m\x1b[K"

    def _follow(self, screen: Screen, columns: int, rows: int) -> None:
        """Move the crop no further than the cursor needs."""
        x, y = min(screen.cursor.x, screen.columns - 1), screen.cursor.y
        self._left = min(self._left, max(screen.columns - columns, 0), x)
        self._left = max(self._left, x - columns + 1, 0)
        self._top = min(self._top, max(screen.lines - rows, 0), y)
        self._top = max(self._top, y - rows + 1, 0)

    def _row(self, screen: Screen, y: int, columns: int) -> str:
        cells = screen.buffer[y]
        pieces: list[str] = []
        look: Attributes | None = None
        cursor = screen.cursor.x if screen.cursor_visible and y == screen.cursor.y else -1
        for place in range(min(columns, screen.columns - self._left)):
            x = self._left + place
            cell = cells[x]
            wanted = cell.look
            if x == cursor:
                wanted = wanted._replace(reverse=not wanted.reverse)
            if wanted != look:
                pieces.append(f"\x1b[{self._sgr(wanted)}m")
                look = wanted
            if cell.data.isascii() and len(cell.data) == 1:
                pieces.append(cell.data if cell.data.isprintable() else " ")
            elif cell.data or place == 0:
                wide = x + 1 < screen.columns and cells[x + 1].data == ""
                pieces.append(_one_cell(cell.data, wide and place + 1 < columns, wide))
                # How wide another terminal draws this is its own business: say where we are.
                pieces.append(f"\x1b[{place + 2 + wide}G")
        return "".join(pieces)

    def _sgr(self, look: Attributes) -> str:
        codes = ["0"]
        for code, on in (
            ("1", look.bold),
            ("2", look.dim),
            ("3", look.italics),
            ("4", look.underscore),
            ("7", look.reverse),
            ("9", look.strikethrough),
        ):
            if on:
                codes.append(code)
        if self._colours:
            codes += [*_colour(30, look.fg), *_colour(40, look.bg)]
        return ";".join(codes)

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._descriptor, data) :]


def _one_cell(text: str, fits: bool, wide: bool) -> str:
    """Return what may be drawn of a cell; half a wide character is a blank."""
    text = HIDDEN.sub("", text)
    if not text or (wide and not fits) or not text[0].isprintable():
        return "  " if wide and fits else " "
    return text[:5]


def _colour(base: int, name: str) -> list[str]:
    bright = name.startswith("bright")
    plain = name.removeprefix("bright")
    if plain in _NAMES:
        return [str(base + 60 * bright + _NAMES.index(plain))]
    if _HEX.fullmatch(name):
        parts = (str(int(name[at : at + 2], 16)) for at in (0, 2, 4))
        return [str(base + 8), "2", *parts]
    return []
