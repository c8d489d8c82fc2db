"""The modes we act on, numbered as pyte does: DEC private ones shifted left by five bits."""

from __future__ import annotations

APPLICATION_CURSOR = 1 << 5
COLUMNS_132 = 3 << 5
REVERSE_SCREEN = 5 << 5
ORIGIN = 6 << 5
AUTOWRAP = 7 << 5
CURSOR_VISIBLE = 25 << 5
ALLOW_132 = 40 << 5
REVERSE_WRAP = 45 << 5
ALTERNATE = 47 << 5
ALTERNATE_CLEARED = 1047 << 5
SAVE_CURSOR = 1048 << 5
ALTERNATE_SAVED = 1049 << 5
BRACKETED_PASTE = 2004 << 5
