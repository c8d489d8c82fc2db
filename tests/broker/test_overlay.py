"""What a notice's bytes do to a terminal, and what they leave alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.broker.notice import overlay
from psm_console.broker.notice.tracker import TerminalTracker
from psm_console.domain.session import Size
from psm_console.domain.text import visible
from psm_console.terminal import Screen

SIZE = Size(40, 8)


def screen(*fed: bytes, size: Size = SIZE) -> Screen:
    shown = Screen(size.columns, size.rows, history=50)
    for data in fed:
        shown.feed(data)
    return shown


def noticed(before: bytes, text: str = "stop", size: Size = SIZE) -> bytes:
    """Return what is written to put a notice in after `before`."""
    tracker = TerminalTracker()
    tracker.observe(before)
    return overlay.inserted(overlay.framed(text, size), tracker.place(size))


def without_notice(shown: Screen) -> list[str]:
    """All lines, those scrolled away too, but for the notice's and blank ones."""
    lines = [*shown.history.texts(), *(shown.row_text(y) for y in range(shown.lines))]
    return [line.rstrip() for line in lines if line.strip() and not line.startswith(" [psm]")]


@pytest.mark.parametrize("above", [0, 3, 20])
def test_half_a_command_stays_where_it_was_typed_and_goes_on(above: int) -> None:
    before = b"line\r\n" * above + b"$ rm -rf /tm"

    shown = screen(before, noticed(before), b"p/x")

    assert shown.row_text(shown.cursor.y) == "$ rm -rf /tmp/x"
    assert shown.row_text(shown.cursor.y - 1).startswith(" [psm] stop")
    assert without_notice(shown) == without_notice(screen(before, b"p/x"))


@pytest.mark.parametrize("back", [0, 5, 45, 85])
@pytest.mark.parametrize("above", [0, 20])
def test_a_command_over_several_rows_keeps_them_together(above: int, back: int) -> None:
    """Wherever in it the cursor is: a line editor goes up by rows to draw it again."""
    typed = b"$ " + b"0123456789" * 9
    before = b"line\r\n" * above + typed
    rows_up, column = divmod(92 - back, 40)
    before += b"\x1b[%dA" % (2 - rows_up) if rows_up < 2 else b""
    before += b"\r" + (b"\x1b[%dC" % column if column else b"")

    shown = screen(before, noticed(before), b"X")

    plain = screen(before, b"X")
    assert without_notice(shown) == without_notice(plain)
    assert shown.cursor.x == plain.cursor.x


def test_a_line_that_fills_its_row_wraps_after_the_notice_as_it_would_have() -> None:
    for line in (b"x" * 40, b"x" * 38 + "漢".encode()):
        shown = screen(line, noticed(line), b"yz")

        assert without_notice(shown) == without_notice(screen(line, b"yz"))


def test_a_menu_below_the_cursor_is_not_pushed_off_the_screen() -> None:
    before = b"line\r\n" * 20 + b"$ ca\r\n  cal  cat\r\n  case\x1b[2A\x1b[4D"

    shown = screen(before, noticed(before), b"t")

    assert without_notice(shown)[-3:] == without_notice(screen(before, b"t"))[-3:]


def test_colours_charset_and_margins_of_the_program_stay() -> None:
    before = b"\x1b[2;7r\x1b[3;1H\x1b[1;31;44m\x1b(0lq"

    shown, plain = screen(before, noticed(before), b"qk"), screen(before, b"qk")

    assert shown.cursor.attrs == plain.cursor.attrs
    assert shown.row_text(shown.cursor.y) == plain.row_text(plain.cursor.y) == "┌──┐"
    assert shown.margins == plain.margins
    # The notice itself is neither in the program's colours nor in its line-drawing letters.
    assert shown.row_text(shown.cursor.y - 1).startswith(" [psm] stop")
    assert shown.buffer[shown.cursor.y - 1][1].bg == "default"


def test_a_bar_covers_its_rows_and_nothing_else() -> None:
    before = b"\x1b[?1049h" + b"\r\n".join(b"row %d" % y for y in range(8))
    before += b"\x1b[?6h\x1b[3;4H\x1b[32m\x1b(0"
    rows = overlay.framed("stop " * 12, SIZE)

    shown, plain = screen(before, overlay.bar(rows, SIZE), b"q"), screen(before, b"q")

    assert len(rows) == 2
    assert all(look.reverse for y in range(2) for _, look in shown.row_runs(y))
    assert [shown.row_text(y) for y in range(2, 8)] == [plain.row_text(y) for y in range(2, 8)]
    assert (shown.cursor.x, shown.cursor.y) == (plain.cursor.x, plain.cursor.y)
    assert shown.cursor.attrs == plain.cursor.attrs and shown.mode == plain.mode


@pytest.mark.attack
@given(
    st.text(max_size=600),
    st.integers(1, 200),
    st.integers(1, 60),
)
def test_whatever_a_supervisor_writes_it_takes_its_rows_and_obeys_nothing(
    text: str, columns: int, rows: int
) -> None:
    """ESC, OSC 52, bidi, newlines, wide and combining characters: shown, never done."""
    size = Size(columns, rows)
    framed = overlay.framed(visible(text, 500), size)

    assert 1 <= len(framed) <= max(rows // 3, 1)
    if columns > 3:
        assert all(overlay.cells(row) <= columns for row in framed)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for row in framed for c in row)


def test_a_long_text_is_cut_at_words_and_says_that_it_was() -> None:
    rows = overlay.framed("please leave this server at once " * 20, Size(40, 24))

    assert len(rows) == 8 and rows[-1].rstrip().endswith("…")
    assert rows[0].strip() == "[psm] please leave this server at once"


def test_a_dumb_terminal_gets_no_control_sequence() -> None:
    assert overlay.appended("stop", at_line_start=False) == b"\r\n[psm] stop\r\n"


@pytest.mark.parametrize(
    ("before", "leaving", "row"),
    [
        (b"one\r\n$ half", overlay.Leaving.SCROLLED, 2),
        (b"one\r\n\x1b[2;5r\x1b[2;1H$ half\x1b]0;title", overlay.Leaving.SCROLLED, 2),
        (b"one\r\n\x1b[?1049h\x1b[2;5r\x1b[7;1Hediting", overlay.Leaving.ALTERNATE, 2),
        (b"\x1b[?1h\x1b[?25l\x1b[H1\r\n2\x1b[8;1H8\x1b[3;1H", overlay.Leaving.PAINTED, 7),
    ],
)
def test_the_last_words_stand_below_what_is_shown_and_the_terminal_is_given_back(
    before: bytes, leaving: overlay.Leaving, row: int
) -> None:
    shown = screen(before, overlay.last("session ended by sue", leaving))

    found = [y for y in range(shown.lines) if "session ended" in shown.row_text(y)]
    assert found == [min(row, 6)]
    assert not shown.alternate and shown.cursor_visible and not shown.application_cursor
    assert shown.margins is None and shown.cursor.attrs == Screen(1, 1).cursor.attrs
