"""A screen as the escape sequences that draw it: for another emulator, tests, a look."""

from __future__ import annotations

from itertools import groupby

from psm_console.terminal import private_modes as private
from psm_console.terminal.attributes import PLAIN, Attributes, sgr_parameters
from psm_console.terminal.cursor import Charsets
from psm_console.terminal.rows import Row
from psm_console.terminal.tabstops import TabStops
from psm_console.terminal.views import Views

_SHIFTS = ("\x0f", "\x0e", "\x1bn", "\x1bo")
_SLOTS = "()*+"


def dump(screen: Views) -> bytes:
    """Sequences after which a screen of the same size shows the same and behaves the same."""
    parts = ["\x1bc", *_titles(screen), *_tab_stops(screen)]
    if private.COLUMNS_132 in screen.mode:
        parts.append("\x1b[?3h")
    if screen.alternate:
        parts += [*_rows(screen._other), *_kept(screen, screen._other, False), "\x1b[?47h"]
    parts += [*_rows(screen._rows), *_kept(screen, screen._rows, screen.alternate)]
    if screen.alternate is False and True in screen._saved:
        parts += ["\x1b[?47h", *_kept(screen, screen._rows, True), "\x1b[?47l"]
    parts += [*_state(screen)]
    return "".join(parts).encode("utf-8", "replace") + screen._tokens.unread


def dump_rows(screen: Views, count: int) -> bytes:
    """Sequences that draw the first `count` rows, blanks too, over whatever stands there."""
    parts = []
    for y, row in enumerate(screen._rows[:count]):
        parts += [f"\x1b[{y + 1};1H", *_cells(row, 0, len(row.text))]
    return "".join([*parts, "\x1b[0m"]).encode("utf-8", "replace")


def _titles(screen: Views) -> list[str]:
    parts = []
    for title, icon_name in screen._titles:
        parts.append(f"\x1b]2;{title}\x07\x1b]1;{icon_name}\x07\x1b[22t")
    if screen.title or parts:
        parts.append(f"\x1b]2;{screen.title}\x07")
    if screen.icon_name or parts:
        parts.append(f"\x1b]1;{screen.icon_name}\x07")
    return parts


def _tab_stops(screen: Views) -> list[str]:
    if screen.tabstops == TabStops.every_eight(screen.columns):
        return []
    stops = [f"\x1b[{stop + 1}G\x1bH" for stop in sorted(screen.tabstops)]
    return ["\x1b[3g", *stops, "\r"]


def _rows(rows: list[Row]) -> list[str]:
    """Every row that is not empty; a wrapped one runs on, so that it is wrapped again."""
    parts = []
    runs_on = False
    for y, row in enumerate(rows):
        end = len(row.text) if row.wrapped or runs_on else _used(row)
        if end:
            parts += ["" if runs_on else f"\x1b[{y + 1}H", *_cells(row, 0, end)]
        runs_on = row.wrapped and y < len(rows) - 1
    return [*parts, "\x1b[0m"]


def _used(row: Row) -> int:
    """The number of cells up to the last one that is not a plain blank."""
    end = len(row.text)
    while end and row.text[end - 1] == " " and row.looks[end - 1] == PLAIN:
        end -= 1
    return end


def _cells(row: Row, first: int, end: int) -> list[str]:
    parts = []
    at = first
    for look, same in groupby(row.looks[first:end]):
        upto = at + len(list(same))
        parts.append(_paint(look) + "".join(row.text[at:upto]))
        if look.protected:
            parts.append('\x1b[0"q')
        at = upto
    return parts


def _goto(rows: list[Row], x: int, y: int, above: int = 0) -> list[str]:
    """Put the cursor there; `above` lines do not count (origin mode). Ends with a plain look."""
    if x < len(rows[0].text):
        return [f"\x1b[{y - above + 1};{x + 1}H"]
    row = rows[y]
    last = x - 1 if row.text[x - 1] or x < 2 else x - 2
    return [f"\x1b[{y - above + 1};{last + 1}H", *_cells(row, last, x), "\x1b[0m"]


def _kept(screen: Views, rows: list[Row], alternate: bool) -> list[str]:
    """DECSC with what it kept there, then back to the plain state."""
    saved = screen._saved.get(alternate)
    if saved is None:
        return []
    x, y = min(saved.x, screen.columns), min(saved.y, screen.lines - 1)
    return [
        "\x1b[?6h" if saved.origin else "",
        *_goto(rows, x, y),
        *_look(saved.look, saved.charsets, saved.charset),
        '\x1b7\x1b[?6l\x1b[0"q\x1b[0m\x0f',
        *(f"\x1b{slot}B" for slot in _SLOTS),
    ]


def _look(look: Attributes, charsets: Charsets, charset: int) -> list[str]:
    designated = [f"\x1b{slot}{code}" for slot, code in zip(_SLOTS, charsets, strict=True)]
    return [*designated, _SHIFTS[charset], _paint(look)]


def _paint(look: Attributes) -> str:
    return f"\x1b[{sgr_parameters(look)}m" + ('\x1b[1"q' if look.protected else "")


def _state(screen: Views) -> list[str]:
    """Region, modes, cursor, look: all that does not belong to a cell."""
    late = {private.COLUMNS_132, private.ORIGIN, private.AUTOWRAP, 4}
    numbers = [mode >> 5 for mode in sorted(screen.mode - late) if mode >= 32]
    cursor = screen.cursor
    above = screen._top if screen._origin else 0
    parts = [
        f"\x1b[{screen._top + 1};{screen._bottom + 1}r" if screen.margins else "",
        "\x1b[?" + ";".join(map(str, numbers)) + "h" if numbers else "",
        "" if screen.cursor_visible else "\x1b[?25l",
        "\x1b[20h" if screen._newline else "",
        "\x1b[?6h" if screen._origin else "\x1b[H",
        "" if screen._autowrap else "\x1b[?7l",
        screen._orphans,
        *_goto(screen._rows, cursor.x, cursor.y, above),
        "\x1b[4h" if screen._insert else "",
        *_look(cursor.look, screen._charsets, screen.charset),
    ]
    if screen._single_shift >= 0:
        parts.append("\x1bN" if screen._single_shift == 2 else "\x1bO")
    return parts
