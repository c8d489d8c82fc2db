"""Code written for pyte goes on working."""

from __future__ import annotations

import pyte
import pytest

from psm_console.terminal import Char, Screen, Stream


def test_a_screen_is_a_pyte_screen() -> None:
    assert isinstance(Screen(4, 2), pyte.Screen)


def test_pytes_own_stream_can_drive_it() -> None:
    screen = Screen(10, 3)
    data = "one\r\n\x1b[31mtwo\x1b[0m\x1b[K\x1b[?25l\x1b]2;title\x07\x1b[2;3r\x1b[1;5Hx\tè"

    pyte.Stream(screen).feed(data)

    assert [line.rstrip() for line in screen.display] == ["one x   è", "two", ""]
    assert screen.buffer[1][0].fg == "red"
    assert screen.title == "title"


def test_our_stream_takes_text_and_bytes() -> None:
    screen = Screen(10, 2)
    stream = Stream(screen)

    stream.feed("è")
    stream.feed(b"\xc3")
    stream.feed(b"\xa8")

    assert screen.display[0].rstrip() == "èè"


def test_a_stream_without_a_screen_says_so() -> None:
    with pytest.raises(RuntimeError, match="Attach"):
        Stream().feed("x")


def test_cells_can_be_written_by_hand() -> None:
    screen = Screen(4, 2)

    screen.buffer[0][1] = pyte.screens.Char("x", fg="red")
    screen.cursor.attrs = Char(" ", bg="blue")
    screen.draw("y")

    assert screen.display == ["yx  ", "    "]
    assert screen.buffer[0][1].fg == "red"
    assert screen.buffer[0][0].bg == "blue"
    assert screen.cursor.attrs.bg == "blue"
