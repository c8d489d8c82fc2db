"""Which method a control stands for (ECMA-48, DEC STD 070, xterm ctlseqs).

What is not in these tables is understood as a control and has no effect: queries, colours of the
window, key and mouse protocols, images, printing.
"""

from __future__ import annotations

CONTROLS: dict[str, tuple[str, tuple[int, ...]]] = {
    "\x08": ("backspace", ()),
    "\t": ("tab", ()),
    "\n": ("linefeed", ()),
    "\x0b": ("linefeed", ()),
    "\x0c": ("linefeed", ()),
    "\r": ("carriage_return", ()),
    "\x0e": ("shift_out", ()),
    "\x0f": ("shift_in", ()),
    "\x84": ("index", ()),
    "\x85": ("next_line", ()),
    "\x88": ("set_tab_stop", ()),
    "\x8d": ("reverse_index", ()),
    "\x8e": ("single_shift", (2,)),
    "\x8f": ("single_shift", (3,)),
}

ESCAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "7": ("save_cursor", ()),
    "8": ("restore_cursor", ()),
    "D": ("index", ()),
    "E": ("next_line", ()),
    "H": ("set_tab_stop", ()),
    "M": ("reverse_index", ()),
    "N": ("single_shift", (2,)),
    "O": ("single_shift", (3,)),
    "c": ("reset", ()),
    "n": ("_use_charset", (2,)),
    "o": ("_use_charset", (3,)),
    "#8": ("alignment_display", ()),
    "%@": ("use_utf8_charset", ()),
    "%G": ("use_utf8_charset", ()),
}

SEQUENCES: dict[str, str] = {
    "@": "insert_characters",
    "A": "cursor_up",
    "B": "cursor_down",
    "C": "cursor_forward",
    "D": "cursor_back",
    "E": "cursor_down1",
    "F": "cursor_up1",
    "G": "cursor_to_column",
    "H": "cursor_position",
    "I": "tab",
    "J": "erase_in_display",
    "K": "erase_in_line",
    "L": "insert_lines",
    "M": "delete_lines",
    "P": "delete_characters",
    "S": "scroll_up",
    "T": "scroll_down",
    "X": "erase_characters",
    "Z": "back_tab",
    "^": "scroll_down",
    "`": "cursor_to_column",
    "a": "cursor_forward",
    "b": "repeat",
    "d": "cursor_to_line",
    "e": "vertical_relative",
    "f": "cursor_position",
    "g": "clear_tab_stop",
    "h": "set_mode",
    "l": "reset_mode",
    "r": "set_margins",
    "s": "save_cursor",
    "t": "window_operation",
    "u": "restore_cursor",
    "!p": "soft_reset",
    '"q': "protect",
    "'}": "insert_columns",
    "'~": "delete_columns",
    " @": "scroll_left",
    " A": "scroll_right",
    "?J": "selective_erase_in_display",
    "?K": "selective_erase_in_line",
    "?h": "set_private_mode",
    "?l": "reset_private_mode",
}

WITHOUT_PARAMETERS = frozenset({"save_cursor", "restore_cursor", "soft_reset"})
