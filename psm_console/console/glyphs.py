"""The signs that stand beside words, all one cell wide, and what stands for them in ASCII.

A sign never carries meaning alone: the word stands beside it, colour only repeats both.
"""

from __future__ import annotations

from collections.abc import Mapping

from psm_console.domain.blind_spots import Coverage
from psm_console.domain.session import SessionState

STATES: Mapping[SessionState, str] = {
    SessionState.CONNECTING: "◌",
    SessionState.ACTIVE: "●",
    SessionState.PAUSED: "Ⅱ",
    SessionState.ENDING: "◑",
    SessionState.ENDED: "■",
    SessionState.LOST: "✕",
}
ATTENTION = "‼"
BRAND = "◉"
DOT = "●"
HOLLOW = "○"
CURSOR = "▌"
WATCHER = "◉"
ARROW = "→"
SEPARATOR = "·"
BARS = " ▁▂▃▄▅▆▇█"
"""Nine levels, from nothing to full."""
PLAYED, REST, IDLE, HEAD = "━", "─", "╌", "┃"
MARKS = ("╵", "◆", "‼")
"""A marker by its weight: plain, warning, alert."""
DESCENDING = "↓"
PLAY, STOP = "▶", "■"
GOOD, BAD = "✔", "✘"
COVERAGES: Mapping[Coverage, str] = {
    Coverage.WHOLE: GOOD,
    Coverage.PART: "◑",
    Coverage.DIGEST: HOLLOW,
}
TIMES, DASH = "×", "–"

# Ours, and what Textual draws by itself: frames, scroll bars, buttons.
_ASCII_FOR = {
    "-": "─╌╍┄┅–—▬▄",
    "=": "━═Ⅱ▅",
    "|": "│┃╎┆║▏▎▍▌▐▕▊▋▉",
    "+": "╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝┏┓┗┛✔▆",
    "#": "█■▓",
    "*": "●▇",
    "o": "○",
    "~": "◌…",
    "%": "◑",
    "@": "◉",
    "!": "‼",
    "w": "◆",
    ".": "▁░·•",
    ",": "▂",
    ":": "▃",
    "'": "▔▀‘’╵",
    '"': "“”",
    ">": "→▶❯",
    "<": "←◀",
    "^": "↑▲",
    "v": "↓▼",
    "x": "×✕✘",
}
TO_ASCII = str.maketrans({sign: plain for plain, signs in _ASCII_FOR.items() for sign in signs})
"""A table for `str.translate`."""
