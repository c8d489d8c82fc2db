"""Character sets that a program may designate (ESC ( 0 and friends; DEC STD 070, xterm ctlseqs).

They apply in UTF-8 too: xterm and all after it do so, and ncurses programs rely on it. The
underscore stays what it is, where DEC has a blank: terminals differ, and text must not hide.
"""

from __future__ import annotations

LINE_DRAWING: dict[int, str] = dict(
    zip(
        range(0x60, 0x7F),
        "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·",
        strict=True,
    )
)
BRITISH: dict[int, str] = {0x23: "£"}

TABLES: dict[str, dict[int, str]] = {"0": LINE_DRAWING, "2": LINE_DRAWING, "A": BRITISH}
"""What `str.translate` makes of text while a set is in use; others change nothing."""
