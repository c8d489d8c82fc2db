"""What terminals are sent, as hypothesis strategies: pieces that mean something, and rubbish."""

from __future__ import annotations

from hypothesis import strategies as st

from psm_console.terminal import Screen
from psm_console.terminal.rows import Row

SEQUENCES = [
    *(
        b"\x1b[" + body
        for body in (
            b"A",
            b"2B",
            b"3C",
            b"D",
            b"E",
            b"F",
            b"4G",
            b"H",
            b"3;3H",
            b"9;99H",
            b"I",
            b"2I",
            b"J",
            b"1J",
            b"2J",
            b"3J",
            b"K",
            b"1K",
            b"2K",
            b"3K",
            b"L",
            b"3M",
            b"P",
            b"4@",
            b"X",
            b"2S",
            b"T",
            b"Z",
            b"^",
            b"`",
            b"2a",
            b"b",
            b"9b",
            b"2d",
            b"e",
            b"3g",
            b"g",
            b"4h",
            b"4l",
            b"20h",
            b"20l",
            b"s",
            b"u",
            b"r",
            b"2;4r",
            b"1;3r",
            b"!p",
            b"?6h",
            b"?6l",
            b"?7l",
            b"?7h",
            b"?5h",
            b"?25l",
            b"?1h",
            b"?47h",
            b"?47l",
            b"?1049h",
            b"?1049l",
            b"?1048h",
            b"?1048l",
            b"?3h",
            b"?40h",
            b"?2026h",
            b"?4m",
            b">4;2m",
            b">1u",
            b"<u",
            b"?J",
            b"?1K",
            b'1"q',
            b'0"q',
            b"2'}",
            b"'~",
            b" @",
            b" A",
            b"22t",
            b"23;0t",
            b"0c",
            b"6n",
            b"999999999999999A",
            b"m",
            b"0m",
            b"1m",
            b"2m",
            b"8m",
            b"22m",
            b"31m",
            b"44m",
            b"7m",
            b"38;5;9m",
            b"48;5m",
            b"38;2;1;2;3m",
            b"48:2::1:2:3m",
            b"4:3m",
            b"38;2;300;1;1m",
            b"1\n2\rH",
            b"3\x18",
            b"3\x1a",
        )
    ),
    *(
        b"\x1b" + body
        for body in (
            b"7",
            b"8",
            b"D",
            b"E",
            b"H",
            b"M",
            b"c",
            b"N",
            b"O",
            b"n",
            b"o",
            b"(0",
            b"(B",
            b")0",
            b"*A",
            b"#8",
            b"%G",
            b"=",
            b">",
            b"\\",
            b"\nD",
            b"",
            b"[",
            b"[1",
            b"]",
            b"P",
            b"_",
            b"X",
            b"^",
        )
    ),
    b"\x1b]0;title\x07",
    b"\x1b]2;tit\x1b\\",
    b"\x1b]1;icon\xc2\x9c",
    b"\x1b]52;c;AAAA\x07",
    b"\x1b]8;;http://x\x1b\\",
    b"\x1bPq#0\x1b\\",
    b"\x1b_Gf=1;A\x1b\\",
    b"\x1b^pm\x1b\\",
    b"\xc2\x9b2J",
    b"\xc2\x84",
    b"\xc2\x85",
    b"\xc2\x8d",
    b"\xc2\x90x\xc2\x9c",
    b"\xc2\x9d0;t\x07",
]
TEXTS = [
    b"A", b"ls -l", b"hello world, this is a line", b"\r\n", b"\n", b"\r", b"\t", b"\x08", b"\x0e",
    b"\x0f", b"\x07", b"\x00", b"\x7f", b"\x18", b"\xff", b"\xe2\x80", b"\xf0\x9f",
    *(text.encode() for text in (
        "世界", "世", "é", "e\u0301", "\u200b", "\u200d", "👨\u200d👩", "☎\ufe0f", "│─┐", "\u202e",
        "ｱ", "\u00ad", "\u0301",
    )),
]  # fmt: skip

pieces = st.one_of(
    st.sampled_from(SEQUENCES), st.sampled_from(TEXTS), st.binary(max_size=6),
    st.text(st.characters(codec="utf-8"), max_size=6).map(str.encode),
)  # fmt: skip
streams = st.lists(pieces, max_size=40).map(b"".join)
"""Bytes as a hostile or an ordinary program may send them."""
sizes = st.sampled_from([(1, 1), (2, 2), (5, 3), (10, 4), (20, 6)])
"""Columns and lines, small, so that edges are met."""


def fed(size: tuple[int, int], *chunks: bytes, history: int = 20) -> Screen:
    """A new screen after these chunks."""
    screen = Screen(*size, history)
    for chunk in chunks:
        screen.feed(chunk)
    return screen


def rows_of(screen: Screen) -> list[tuple[list[str], object, bool]]:
    """The scrollback's rows, to be compared."""
    return [_plain(row) for row in screen.history.rows()]


def _plain(row: Row) -> tuple[list[str], object, bool]:
    return row.text, row.looks, row.wrapped


def text_of(columns: int, lines: int, data: bytes) -> list[str]:
    """The lines of a new screen after these bytes, without trailing blanks."""
    return [line.rstrip(" ") for line in fed((columns, lines), data).display]
