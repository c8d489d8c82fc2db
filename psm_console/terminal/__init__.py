"""The terminal engine: bytes in, the exact screen out. The only place that imports pyte.

    screen = Screen(80, 24, history=1000)   # columns, lines, lines of scrollback; a pyte.Screen
    screen.feed(data)                       # any bytes, cut anywhere; never raises
    screen.resize(lines, columns)           # clamped to 1-500 lines, 1-1000 columns

Reading
    display -> list[str]                    # every line, padded
    buffer[y][x] -> Char                    # pyte's fields, plus dim and conceal
    cursor.x, cursor.y, cursor.attrs        # x == columns while a wrap is pending
    dirty -> set[int]                       # changed lines; clear() it when drawn
    take_changes() -> [(y, runs)]           # changed lines as runs, and clears dirty
    row_runs(y) -> [(text, Attributes)]     # one line, for drawing; widths add up to columns
    row_text(y), screen_text(join_wrapped=False)
    hidden_text(y) -> [(x, text)]           # invisible characters attached to cells
    history -> Sequence of rows             # oldest first; history.texts(), history.rows()
    title, icon_name                        # clean of control and bidi characters
    alternate, application_cursor, cursor_visible, margins, mode

Time travel
    idle                                    # nothing half-read in the parser or the decoder
    work -> int                             # tokens, cells, rows; about 0.1 µs each, no clock
    overruns -> int                         # operations left out as bombs: the screen may differ
    snapshot() -> bytes                     # keyframe, parser's state included, no scrollback
    Screen.restore(bytes, history=1000)     # KeyframeError when it is not one
    dump() -> bytes                         # escape sequences that draw it, no scrollback
    same_as(other) -> bool                  # both show the same and will go on the same way

No query is ever answered: the screen shown belongs to somebody else's terminal. `Stream` is for
code that was written for pyte's streams.
"""

from psm_console.terminal.attributes import Attributes, Char
from psm_console.terminal.keyframe_format import KeyframeError
from psm_console.terminal.screen import Screen
from psm_console.terminal.stream import Stream

__all__ = ["Attributes", "Char", "KeyframeError", "Screen", "Stream"]
