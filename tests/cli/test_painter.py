"""A recording is drawn cell by cell: none of its bytes gets past the emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_console.cli.painter import Painter
from psm_console.domain.text import HIDDEN
from psm_console.terminal import Screen

_OURS = re.compile(r"\x1b\[(?:[0-9;]*[mHG]|K|2J)")


class Glass:
    """A terminal that keeps what is written to it."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        # Raw: the line discipline may add nothing of its own.
        attributes = termios.tcgetattr(self.slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        os.set_blocking(self.master, False)
        self.resize(40, 12)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def drawn(self) -> str:
        found = b""
        while True:
            try:
                found += os.read(self.master, 1 << 16)
            except BlockingIOError:
                return found.decode("utf-8")

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def glass() -> Iterator[Glass]:
    made = Glass()
    yield made
    made.close()


def _shown(drawn: str, columns: int = 40, rows: int = 12) -> list[str]:
    """Read what was drawn back with an emulator."""
    screen = Screen(columns, rows)
    screen.feed(drawn.encode())
    return [line.rstrip() for line in screen.display]


@pytest.mark.attack
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=80), max_size=6), st.text(max_size=60))
def test_nothing_but_text_and_our_own_sequences_is_written(
    glass: Glass, pieces: list[bytes], status: str
) -> None:
    screen = Screen(30, 8)
    painter = Painter(glass.slave, colours=True)
    for piece in [*pieces, b"\x1b]52;c;cm0=\x07\x1b]0;t\x07\xe2\x80\xaetxt\x1b[6n\x1bP1$q\x1b\\"]:
        screen.feed(piece)
        painter.paint(screen, status)

    left = _OURS.sub("", glass.drawn())
    assert HIDDEN.search(left) is None


def test_the_screen_is_seen_as_it_is_with_a_line_of_ours_below(glass: Glass) -> None:
    screen = Screen(30, 8)
    screen.feed("one \x1b[1;31mtwo\x1b[0m\r\n日本 three".encode())
    Painter(glass.slave, colours=True).paint(screen, "status")

    shown = _shown(glass.drawn())
    assert shown[:2] == ["one two", "日本 three"]
    assert shown[11] == "status"


def test_a_screen_larger_than_the_terminal_is_cropped_around_the_cursor(glass: Glass) -> None:
    screen = Screen(200, 50)
    screen.feed(b"far away\x1b[45;180Hhere")
    Painter(glass.slave, colours=False).paint(screen, "")

    text = "\n".join(_shown(glass.drawn()))
    assert "here" in text and "far away" not in text


def test_only_rows_that_changed_are_drawn_again(glass: Glass) -> None:
    screen = Screen(30, 8)
    screen.feed(b"first\r\nsecond\r\n")
    painter = Painter(glass.slave, colours=True)
    painter.paint(screen, "status")
    glass.drawn()

    screen.feed(b"third")
    painter.paint(screen, "status")

    drawn = glass.drawn()
    assert "third" in drawn
    assert "first" not in drawn and "second" not in drawn and "status" not in drawn


def test_everything_is_drawn_again_when_the_terminal_has_another_size(glass: Glass) -> None:
    screen = Screen(30, 8)
    screen.feed(b"first")
    painter = Painter(glass.slave, colours=True)
    painter.paint(screen, "status")
    glass.drawn()
    glass.resize(50, 10)
    assert painter.resized

    painter.paint(screen, "status")

    shown = _shown(glass.drawn(), 50, 10)
    assert shown[0] == "first" and shown[9] == "status"


def test_no_colours_are_drawn_where_none_are_wanted(glass: Glass) -> None:
    screen = Screen(30, 8)
    screen.feed(b"\x1b[31;1mred")
    Painter(glass.slave, colours=False).paint(screen, "")

    drawn = glass.drawn()
    assert "31" not in re.findall(r"\x1b\[([0-9;]*)m", drawn)
    assert "\x1b[0;1m" in drawn
