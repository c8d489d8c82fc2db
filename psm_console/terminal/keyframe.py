"""Keyframes: a whole screen in about 2 KB, so that any instant of a recording is near."""

from __future__ import annotations

from itertools import groupby

import msgspec
import zstandard

from psm_console.terminal.attributes import Attributes
from psm_console.terminal.cursor import SavedCursor
from psm_console.terminal.keyframe_format import FORMAT, Cells, Saved, State
from psm_console.terminal.rows import COMPLEX, Row
from psm_console.terminal.views import Views

_encoder = msgspec.msgpack.Encoder()


def snapshot(screen: Views) -> bytes:
    """The screen as a keyframe. Equal screens give equal bytes (with one version of zstandard)."""
    return zstandard.ZstdCompressor(level=3).compress(_encoder.encode(_state(screen)))


def state_of(screen: Views) -> State:
    """What decides how the screen looks and goes on, to be compared."""
    state = _state(screen)
    for cells in (*state.rows, *state.other):
        cells.wrapped = False
        cells.text = list(cells.text)
    state.credit, state.last_character = (0, 0), ""
    return state


def _state(screen: Views) -> State:
    looks: dict[Attributes, int] = {}
    state = State(
        FORMAT,
        screen.columns,
        screen.lines,
        [],
        [_packed(row, looks) for row in screen._rows],
        [_packed(row, looks) for row in screen._other],
        screen.alternate,
        (screen._top, screen._bottom),
        sorted(screen.mode),
        sorted(screen.tabstops),
        (screen.cursor.x, screen.cursor.y, looks.setdefault(screen.cursor.look, len(looks))),
        [_saved(alternate, kept, looks) for alternate, kept in sorted(screen._saved.items())],
        [*screen._titles, (screen.title, screen.icon_name)],
        "".join(screen._charsets),
        screen.charset,
        screen._single_shift,
        screen._last_text[-1:],
        screen._orphans,
        screen._tokens.state,
        (screen._credit, screen._epoch_left),
    )
    state.looks = list(looks)
    return state


def _packed(row: Row, looks: dict[Attributes, int]) -> Cells:
    runs: list[int] = []
    for look, same in groupby(row.looks):
        runs += (looks.setdefault(look, len(looks)), len(list(same)))
    single = not row.care & COMPLEX or set(map(len, row.text)) == {1}
    return Cells("".join(row.text) if single else row.text, runs, row.wrapped)


def _saved(alternate: bool, kept: SavedCursor, looks: dict[Attributes, int]) -> Saved:
    look = looks.setdefault(kept.look, len(looks))
    charsets = "".join(kept.charsets)
    return Saved(alternate, kept.x, kept.y, look, charsets, kept.charset, kept.origin)
