"""What others read: lines, runs, changes, hidden text, titles."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given

from psm_console.terminal import Attributes, Screen
from psm_console.terminal.widths import width
from tests.terminal.streams import fed, sizes, streams


@given(sizes, streams)
def test_runs_add_up_to_the_line_and_to_its_columns(size: tuple[int, int], data: bytes) -> None:
    screen = fed(size, data)

    for y, line in enumerate(screen.display):
        runs = screen.row_runs(y)
        text = "".join(text for text, _ in runs)
        assert text == line
        assert all(a[1] != b[1] for a, b in pairwise(runs))
        if size[0] > 1:
            cells = [screen.buffer[y][x].data for x in screen.buffer[y]]
            columns = sum(2 if width(cell[:1]) == 2 else bool(cell) for cell in cells)
            assert columns == size[0]


@given(sizes, streams, streams)
def test_a_line_that_is_not_dirty_has_not_changed(
    size: tuple[int, int], before: bytes, after: bytes
) -> None:
    screen = fed(size, before)
    seen = [screen.row_runs(y) for y in range(screen.lines)]
    screen.dirty.clear()

    screen.feed(after)

    for y, runs in enumerate(seen):
        assert y in screen.dirty or screen.row_runs(y) == runs


def test_changes_are_taken_once() -> None:
    screen = Screen(5, 3)
    assert [y for y, _ in screen.take_changes()] == [0, 1, 2]

    screen.feed(b"\x1b[2Hab")

    assert screen.take_changes() == [(1, [("ab   ", Attributes())])]
    assert screen.take_changes() == []


def test_reverse_screen_turns_every_run_and_cell_round() -> None:
    screen = fed((4, 1), b"\x1b[?5ha\x1b[7mb")

    assert [look.reverse for _, look in screen.row_runs(0)] == [True, False, True]
    assert screen.buffer[0][0].reverse and not screen.buffer[0][1].reverse


def test_what_has_no_cell_is_found() -> None:
    screen = fed((20, 2), "ls\u200b\u202erm e\u0301 👨\u200d👩".encode())

    assert screen.hidden_text(0) == [(1, "\u200b\u202e"), (7, "\u200d")]
    assert "ls\u200b\u202erm" in screen.row_text(0)
    assert screen.hidden_text(1) == []


def test_zero_width_text_at_the_start_of_a_line_waits_for_a_cell() -> None:
    screen = fed((20, 2), "\u200b".encode())
    assert screen.hidden_text(0) == [(0, "\u200b")]

    screen.feed(b"rm")
    assert screen.hidden_text(0) == [(0, "\u200b")]
    assert screen.row_text(0) == "r\u200bm"


def test_marks_on_one_cell_have_a_limit() -> None:
    screen = fed((20, 2), ("e" + "\u0301" * 5000 + "x").encode())

    assert len(screen.buffer[0][0].data) <= 17
    assert screen.buffer[0][1].data == "x"


def test_screen_text_ends_with_its_last_text() -> None:
    assert fed((6, 4), b"ab\r\n\r\ncd").screen_text() == "ab\n\ncd"
    assert fed((3, 4), b"abcde\r\nf").screen_text(join_wrapped=True) == "abcde\nf"


def test_titles_hold_no_control_and_no_direction() -> None:
    title = "\x1b]0;a\tb\u202ec\u200bd\x9ae".encode()

    screen = fed((6, 4), title + b"\x07\x1b]1;icon\x07")
    assert (screen.title, screen.icon_name) == ("abcde", "icon")

    screen.feed(b"\x1b[22;0t\x1b]2;other" + b"x" * 5000 + b"\x07")
    assert len(screen.title) == 512
    screen.feed(b"\x1b[23;0t")
    assert screen.title == "abcde"


def test_commands_that_are_not_titles_leave_the_title() -> None:
    screen = fed(
        (6, 4), b"\x1b]0;t\x07\x1b]10;x\x07\x1b]133;A\x07\x1b]52;c;x\x07\x1b]7;file://\x07"
    )

    assert (screen.title, screen.icon_name) == ("t", "t")
