"""One case for each behaviour: what is sent, what stands on the screen, where the cursor is.

Expected screens follow ECMA-48, DEC STD 070 and xterm's control sequences.
"""

from __future__ import annotations

import pytest

from psm_console.terminal import Screen
from psm_console.terminal.dispatch import SEQUENCES
from tests.terminal.streams import fed, text_of

ABC = b"aaaa\r\nbbbb\r\ncccc\r\ndddd"

CASES: dict[str, tuple[bytes, list[str]]] = {
    # Text and wrapping, on 6 columns and 4 lines.
    "text wraps at the edge": (b"abcdefgh", ["abcdef", "gh"]),
    "a full line waits before it wraps": (b"abcdef\r\ngh", ["abcdef", "gh"]),
    "without autowrap the last column is overwritten": (b"\x1b[?7labcdefgh", ["abcdeh"]),
    "insert mode shifts the rest": (b"abc\r\x1b[4hxy", ["xyabc"]),
    "new line mode returns at a line feed": (b"\x1b[20hab\ncd", ["ab", "cd"]),
    "line feeds stay in their column": (b"ab\ncd", ["ab", "  cd"]),
    "a wide character that does not fit wraps": ("abcde世".encode(), ["abcde", "世"]),
    "half a wide character overwritten blanks the other": ("世\x1b[2Gx".encode(), [" x"]),
    "its left half overwritten blanks the right": ("世界\rx".encode(), ["x 界"]),
    "combining marks stay with their character": ("e\u0301x".encode(), ["e\u0301x"]),
    "text after a zero-width space is shown": ("ls\u200brm".encode(), ["ls\u200brm"]),
    "text after a variation selector is shown": ("☎\ufe0fab".encode(), ["☎\ufe0fab"]),
    "bytes that are not UTF-8 show": (b"a\xffb", ["a\ufffdb"]),
    "nulls and deletes are nothing": (b"a\x00b\x7fc", ["abc"]),
    # Movement.
    "CUP and HVP count from one": (b"\x1b[2;3Hx\x1b[fy", ["y", "  x"]),
    "CHT and CBT go by tab stops": (b"\x1b[3G\x1bH\r\x1b[Ix\x1b[Zy", ["  y"]),
    "CNL and CPL start the line": (b"ab\x1b[Ecd\x1b[Fx", ["xb", "cd"]),
    "HPA, HPR, VPA and VPR": (b"\x1b[3`a\x1b[ab\x1b[2dc\x1b[ed", ["  a b", "     c", "     d"]),
    "a tab behind the edge stays": (b"abcdef\tx", ["abcdef", "x"]),
    "SCOSC and SCORC": (b"ab\x1b[scd\x1b[ux", ["abxd"]),
    "DECSC and DECRC keep the look and place": (b"ab\x1b7\r\ncd\x1b8x", ["abx", "cd"]),
    "DECRC without DECSC goes home": (b"ab\x1b8x", ["xb"]),
    "NEL starts the next line": (b"ab\x1bEx", ["ab", "x"]),
    "IND keeps the column": (b"ab\x1bDx", ["ab", "  x"]),
    "RI scrolls down at the top": (b"ab\x1bMx", ["  x", "ab"]),
    "C1 controls count": ("ab\x85c\x84d\x9b1;1Hx".encode(), ["xb", "c", " d"]),
    # Regions.
    "DECSTBM limits scrolling": (ABC + b"\x1b[2;3r\x1b[3Hx\n", ["aaaa", "xccc", "", "dddd"]),
    "CSI r frees the region": (ABC + b"\x1b[2;3r\x1b[r\x1b[4H\n", ["bbbb", "cccc", "dddd"]),
    "origin mode counts from the region": (
        ABC + b"\x1b[2;3r\x1b[?6h\x1b[1;2Hx",
        ["aaaa", "bxbb", "cccc", "dddd"],
    ),
    "origin mode holds for VPA": (
        ABC + b"\x1b[2;3r\x1b[?6h\x1b[9dx",
        ["aaaa", "bbbb", "xccc", "dddd"],
    ),
    "SU scrolls up": (ABC + b"\x1b[2S", ["cccc", "dddd"]),
    "SD scrolls down": (ABC + b"\x1b[T", ["", "aaaa", "bbbb", "cccc"]),
    "IL inserts in the region": (ABC + b"\x1b[1;3r\x1b[2H\x1b[L", ["aaaa", "", "bbbb", "dddd"]),
    "DL deletes in the region": (ABC + b"\x1b[1;3r\x1b[1H\x1b[M", ["bbbb", "cccc", "", "dddd"]),
    "DECIC and DECDC edit columns": (
        ABC + b"\x1b[1;2H\x1b['}\x1b[3G\x1b[2'~",
        ["a a", "b b", "c c", "d d"],
    ),
    "SL and SR move columns": (b"abcd\x1b[2 @\x1b[ A", [" cd"]),
    # Erasing.
    "ED to the end": (ABC + b"\x1b[2;3H\x1b[J", ["aaaa", "bb"]),
    "ED to the start": (ABC + b"\x1b[2;3H\x1b[1J", ["", "   b", "cccc", "dddd"]),
    "ED all": (ABC + b"\x1b[2Jx", ["", "", "", "    x"]),
    "EL three ways": (b"abcd\x1b[2D\x1b[K\r\nabcd\x1b[2D\x1b[1K\r\nabcd\x1b[2K", ["ab", "   d"]),
    "CSI 3 K is nothing": (b"ab\x1b[3K", ["ab"]),
    "ECH keeps the rest in place": (b"abcd\r\x1b[2X", ["  cd"]),
    "DCH pulls the rest": (b"abcd\r\x1b[2P", ["cd"]),
    "ICH pushes the rest": (b"abcd\r\x1b[2@", ["  abcd"]),
    "selective erase spares what is protected": (b'a\x1b[1"qb\x1b["qc\x1b[?2K', [" b"]),
    # Repeating and characters sets.
    "REP repeats": (b"a\x1b[3b", ["aaaa"]),
    "REP after a control does nothing": (b"a\r\n\x1b[3bb\x1b[m\x1b[3b", ["a", "b"]),
    "line drawing in UTF-8": (b"\x1b(0lqk\x1b(Bq", ["┌─┐q"]),
    "SO and SI": (b"\x1b)0a\x0eq\x0fq", ["a─q"]),
    "single shift takes one": (b"\x1b*0q\x1bNqq", ["q─q"]),
    "a single shift leaves the locked set": ("\u200b\x1b(0\x1bOeq".encode(), ["e\u200b─"]),
    "the British pound": (b"\x1b(A#", ["£"]),
    # Swallowed, not shown.
    "DCS": (b"a\x1bP1$qm\x1b\\b", ["ab"]),
    "APC, PM and SOS": (b"a\x1b_Gi=1;AAAA\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\b", ["ab"]),
    "OSC 8, 52 and 133": (
        b"\x1b]8;;http://x\x07a\x1b]8;;\x07\x1b]52;c;eA==\x1b\\\x1b]133;A\x07",
        ["a"],
    ),
    "kitty keyboard": (b"a\x1b[>1u\x1b[<u\x1b[=1;1u\x1b[?ub", ["ab"]),
    "colon SGR": (b"a\x1b[4:3;38:2::1:2:3mb", ["ab"]),
    "DECSTR": (b"a\x1b[!pb", ["ab"]),
    "synchronised output": (b"\x1b[?2026ha\x1b[?2026lb", ["ab"]),
    "XTSAVE, XTRESTORE and DECRQM": (b"a\x1b[?1;2r\x1b[?1s\x1b[?2026$pb", ["ab"]),
    "a string ended by CAN": (b"a\x1b]0;x\x18b", ["ab"]),
    "a sequence broken off by ESC": (b"a\x1b[3\x1b[Cb", ["a b"]),
    "controls inside a sequence happen first": (b"a\x1b[\r2Cb", ["a b"]),
    "a number of 5,000 digits": (
        b"\x1b[" + b"9" * 900 + b"Gx\r\x1b[" + b"9" * 5000 + b"Gy",
        ["y    x"],
    ),
    # Whole screens.
    "DECALN": (b"\x1b[2;3r\x1b#8x", ["xEEEEE", "EEEEEE", "EEEEEE", "EEEEEE"]),
    "RIS": (ABC + b"\x1b[?6h\x1bcx", ["x"]),
    "DECCOLM clears where it is allowed": (b"ab\x1b[?3hc\x1b[?40h\x1b[?3hd", ["d"]),
    "the alternate screen comes empty and goes": (b"ab\x1b[?1049hcd\x1b[?1049le", ["abe"]),
    "1047 keeps the place": (b"ab\x1b[?1047hcd\x1b[?1047le", ["ab  e"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_screen_shows_what_a_terminal_shows(name: str) -> None:
    data, expected = CASES[name]

    shown = text_of(6, 4, data)

    assert shown == expected + [""] * (4 - len(expected))


@pytest.mark.parametrize("name", sorted(SEQUENCES))
def test_no_number_of_parameters_is_too_many(name: str) -> None:
    private, rest = (name[0], name[1:]) if name[0] in "?<=>" else ("", name)
    for parameters in ("", "0", "1", "9", "1;2", "1;2;3;4;5;6;7;8", "99999;99999", ":;::1"):
        fed((6, 4), ABC + f"\x1b[{private}{parameters}{rest}x".encode())


def test_the_cursor_waits_behind_the_last_column() -> None:
    screen = fed((6, 4), b"abcdef")

    assert (screen.cursor.x, screen.cursor.y) == (6, 0)

    screen.feed(b"\x08")
    assert screen.cursor.x == 4


def test_erased_cells_take_the_background() -> None:
    screen = fed((6, 4), b"\x1b[44;31mab\x1b[K\x1b[2;2H\x1b[J\n\n\n\n")

    cells = screen.buffer[0], screen.buffer[3]
    assert [screen.history[0][x].bg for x in range(6)] == ["blue"] * 6
    assert [row[5].bg for row in cells] == ["blue", "blue"]
    assert cells[1][0].fg == "default"


def test_modes_are_told() -> None:
    screen = fed((6, 4), b"\x1b[?1h\x1b[?25l\x1b[?1049h")
    assert screen.application_cursor and not screen.cursor_visible and screen.alternate
    assert screen.cursor.hidden

    screen.feed(b"\x1b[!p\x1b[?1049l")
    assert not screen.application_cursor and screen.cursor_visible and not screen.alternate


def test_what_leaves_the_main_screen_is_scrollback_and_nothing_else_is() -> None:
    screen = Screen(6, 3, history=3)

    screen.feed(b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7")
    screen.feed(b"\x1b[?1049h" + b"x\r\n" * 9 + b"\x1b[?1049l")
    screen.feed(b"\x1b[2;3r\x1b[3H\n\n\x1b[r")
    assert screen.history.texts() == ["2", "3", "4"]

    screen.feed(b"\x1b[3J")
    assert len(screen.history) == 0


def test_no_query_is_answered() -> None:
    class Telltale(Screen):
        def write_process_input(self, data: str) -> None:
            raise AssertionError(data)

    Telltale(6, 4).feed(
        b"\x1b[c\x1b[>c\x1b[6n\x1b[5n\x1b[?6n\x1b]11;?\x07\x1bP$qm\x1b\\\x1b[21t\x05"
    )
