"""A screen made of a keyframe, which is hostile input until it was checked.

Sizes, cells, looks and positions are all looked at before a screen is made of them.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
import zstandard

from psm_console.terminal.attributes import NAMES, Attributes
from psm_console.terminal.charsets import TABLES
from psm_console.terminal.cursor import Charsets, SavedCursor
from psm_console.terminal.grid import MAX_COLUMNS, MAX_LINES
from psm_console.terminal.keyframe_format import FORMAT, MAX_BYTES, Cells, KeyframeError, State
from psm_console.terminal.rows import COMPLEX, Row
from psm_console.terminal.tabstops import TabStops
from psm_console.terminal.titles import STACK_LIMIT, clean_title
from psm_console.terminal.views import Views

S = TypeVar("S", bound=Views)

_decoder = msgspec.msgpack.Decoder(State)
_UNREADABLE = (
    zstandard.ZstdError,
    msgspec.MsgspecError,
    UnicodeDecodeError,
    MemoryError,
    RecursionError,
)
_colour = re.compile(f"default|(?:bright)?(?:{'|'.join(NAMES)})|[0-9a-f]{{6}}").fullmatch


def restore(kind: type[S], keyframe: bytes, history: int) -> S:
    """The screen of a keyframe. Raises KeyframeError when the bytes are not one."""
    state = _decoded(keyframe)
    try:
        return _rebuilt(kind, state, history)
    except (ValueError, IndexError) as error:
        raise KeyframeError(f"The keyframe is damaged ({error}); make the index again.") from error


def _decoded(keyframe: bytes) -> State:
    try:
        if not 0 <= zstandard.frame_content_size(keyframe) <= MAX_BYTES:
            raise KeyframeError("The keyframe does not say a plausible size; make the index again.")
        state = _decoder.decode(zstandard.ZstdDecompressor().decompress(keyframe))
    except _UNREADABLE as error:
        raise KeyframeError(f"Not a keyframe ({error}); make the index again.") from error
    if state.format != FORMAT:
        raise KeyframeError(f"Keyframe format {state.format} is not known; make the index again.")
    return state


def _need(right: bool, what: str) -> None:
    if not right:
        raise ValueError(what)


def _rebuilt(kind: type[S], state: State, history: int) -> S:
    columns, lines = state.columns, state.lines
    _need(1 <= columns <= MAX_COLUMNS and 1 <= lines <= MAX_LINES, "impossible size")
    _need(len(state.rows) == lines, "wrong number of rows")
    _need(len(state.other) == (lines if state.alternate else 0), "wrong number of rows")
    for look in state.looks:
        _need(bool(_colour(look.fg) and _colour(look.bg)), "no such colour")
    screen = kind(columns, lines, history)
    screen._rows = [_unpacked(cells, state.looks, columns) for cells in state.rows]
    screen._other = [_unpacked(cells, state.looks, columns) for cells in state.other]
    screen.alternate = state.alternate
    _set_modes(screen, state)
    _set_cursor(screen, state)
    _set_titles(screen, state)
    screen._tokens.restore(*state.parser)
    screen._credit, screen._epoch_left = min(state.credit[0], 1 << 20), state.credit[1]
    _need(1 <= screen._epoch_left <= 1 << 20, "impossible credit")
    screen._note_modes()
    return screen


def _unpacked(cells: Cells, table: list[Attributes], columns: int) -> Row:
    looks: list[Attributes] = []
    for number, count in zip(cells.looks[::2], cells.looks[1::2], strict=True):
        _need(number >= 0 and 0 < count <= columns, "a run of looks is out of range")
        looks += [table[number]] * count
    text = list(cells.text)
    _need(len(text) == len(looks) == columns, "a row has the wrong length")
    row = Row(text, looks, 0 if isinstance(cells.text, str) else COMPLEX)
    _need(not _unprintable(cells.text), "control characters in a row")
    row.wrapped = cells.wrapped
    return row


_control = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def _unprintable(text: str | list[str]) -> bool:
    joined = text if isinstance(text, str) else "".join(text)
    return _control(joined) is not None or (bool(text) and text[0] == "")


def _set_modes(screen: Views, state: State) -> None:
    top, bottom = state.region
    _need(0 <= top <= bottom < state.lines, "impossible scrolling region")
    _need(len(state.modes) <= 256, "too many modes")
    _need(all(0 <= stop < state.columns for stop in state.tabstops), "impossible tab stop")
    screen._top, screen._bottom = top, bottom
    screen.mode = set(state.modes)
    screen.tabstops = TabStops(set(state.tabstops))
    screen._charsets = _charsets(state.charsets)
    _need(0 <= state.charset <= 3 and -1 <= state.single_shift <= 3, "no such character set")
    screen.charset, screen._single_shift = state.charset, state.single_shift
    _need(len(state.last_character) <= 1 and len(state.orphans) <= 64, "impossible text")
    screen._last_text, screen._orphans = state.last_character, state.orphans
    _need(not _unprintable(state.last_character or " "), "control characters in text")


def _charsets(codes: str) -> Charsets:
    _need(len(codes) == 4 and all(code == "B" or code in TABLES for code in codes), "no such set")
    return codes[0], codes[1], codes[2], codes[3]


def _set_cursor(screen: Views, state: State) -> None:
    x, y, look = state.cursor
    _need(0 <= x <= state.columns and 0 <= y < state.lines and look >= 0, "impossible cursor")
    screen.cursor.x, screen.cursor.y = x, y
    screen.cursor.paint(state.looks[look])
    screen.cursor.hidden = not screen.cursor_visible
    _need(len(state.saved) <= 2, "too many saved cursors")
    for kept in state.saved:
        _need(kept.x >= 0 and kept.y >= 0 and kept.look >= 0, "impossible cursor")
        _need(0 <= kept.charset <= 3, "no such character set")
        screen._saved[kept.alternate] = SavedCursor(
            kept.x,
            kept.y,
            state.looks[kept.look],
            _charsets(kept.charsets),
            kept.charset,
            kept.origin,
        )


def _set_titles(screen: Views, state: State) -> None:
    _need(1 <= len(state.titles) <= STACK_LIMIT + 1, "impossible titles")
    clean = [(clean_title(title), clean_title(icon)) for title, icon in state.titles]
    *screen._titles, (screen.title, screen.icon_name) = clean
