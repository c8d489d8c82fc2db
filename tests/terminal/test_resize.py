"""New sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.terminal import Screen
from tests.terminal.streams import fed, sizes, streams


@given(sizes, streams, st.lists(st.tuples(st.integers(1, 12), st.integers(1, 30)), max_size=4))
def test_any_resize_leaves_a_whole_screen(
    size: tuple[int, int], data: bytes, shapes: list[tuple[int, int]]
) -> None:
    screen = fed(size, data)

    for lines, columns in shapes:
        screen.resize(lines, columns)
        screen.feed(data)
        assert (len(screen.display), screen.lines, screen.columns) == (lines, lines, columns)
        assert {len(screen.buffer[y]) for y in screen.buffer} == {columns}
        assert max(screen.dirty, default=0) < lines
        assert Screen.restore(screen.snapshot()).same_as(screen)


def test_a_lower_screen_keeps_the_cursor_and_scrolls_the_top_away() -> None:
    screen = fed((6, 4), b"1\r\n2\r\n3\r\n4")

    screen.resize(2, 6)

    assert [line.rstrip() for line in screen.display] == ["3", "4"]
    assert screen.history.texts() == ["1", "2"]
    screen.resize(4, 6)
    assert [line.rstrip() for line in screen.display] == ["1", "2", "3", "4"]
    assert screen.cursor.y == 3


def test_lines_below_the_cursor_go_first() -> None:
    screen = fed((6, 4), b"1\r\n2\r\n3\x1b[H")

    screen.resize(2, 6)

    assert [line.rstrip() for line in screen.display] == ["1", "2"]


def test_the_main_screen_is_resized_behind_the_alternate_one() -> None:
    screen = fed((6, 4), b"main\x1b[?1049halt")

    screen.resize(3, 10)
    screen.feed(b"\x1b[?1049l!")

    assert screen.display[0] == "main!     "


def test_lines_are_wrapped_anew_on_another_width() -> None:
    screen = fed((6, 4), b"abcdefgh\r\n12345\r\n$ ")

    screen.resize(4, 4)
    assert [line.rstrip() for line in screen.display] == ["efgh", "1234", "5", "$"]
    assert screen.history.texts() == ["abcd"]

    screen.resize(4, 10)
    assert [line.rstrip() for line in screen.display] == ["abcdefgh", "12345", "$", ""]
    assert (screen.cursor.x, screen.cursor.y) == (2, 2)


def test_scrollback_is_wrapped_anew_too() -> None:
    screen = fed((6, 2), "abcd世efgh\r\n".encode() + b"x" * 20 + b"\r\n1\r\n2")

    screen.resize(2, 4)

    assert screen.history.texts() == ["abcd", "世ef", "gh", *["xxxx"] * 5]


def test_the_line_of_the_cursor_is_left_to_the_shell() -> None:
    screen = fed((6, 3), b"one\r\n$ abcdefg")

    screen.resize(3, 12)

    assert [line.rstrip() for line in screen.display] == ["one", "$ abcd", "efg"]


def test_the_alternate_screen_is_cut_and_not_wrapped() -> None:
    screen = fed((6, 2), b"\x1b[?1049habcdefgh")

    screen.resize(2, 3)

    assert screen.display == ["abc", "gh "]


@pytest.mark.attack
def test_a_storm_of_sizes_costs_a_bounded_amount_of_work() -> None:
    screen = Screen(80, 24)
    screen.feed((b"word " * 100 + b"\r\n") * 400)
    before = screen.work

    for turn in range(500):
        screen.resize(24, 80 + turn % 40)

    assert screen.work - before < 1_000_000


def test_half_a_wide_character_at_the_new_edge_is_blanked() -> None:
    screen = fed((6, 1), "ab世".encode())

    screen.resize(1, 3)

    assert screen.display == ["ab "]


@pytest.mark.parametrize(("lines", "columns"), [(0, 0), (10**9, 10**9), (-1, -1)])
def test_sizes_are_clamped(lines: int, columns: int) -> None:
    screen = Screen(columns, lines)
    screen.resize(lines, columns)

    assert 1 <= screen.columns <= 1000
    assert 1 <= screen.lines <= 500


def test_a_region_does_not_survive_a_resize() -> None:
    screen = fed((6, 4), b"\x1b[2;3r")

    screen.resize(5, 6)

    assert screen.margins is None


def test_positions_are_counted_on_the_new_size() -> None:
    screen = fed((6, 4), b"\x1b[99;99H")
    screen.resize(8, 12)

    screen.feed(b"\x1b[99;99Hx")

    assert (screen.cursor.x, screen.cursor.y) == (12, 7)
