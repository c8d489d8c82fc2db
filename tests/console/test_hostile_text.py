"""What people under suspicion write never reaches the analyst's terminal as anything but text."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from psm_console.domain.text import HIDDEN
from tests.console.stage import Stage
from tests.console.terminal_child import console_in_a_terminal

NASTY = (
    "ev\x1b]52;c;ZXZpbA==\x07\x1b[31m\x1bP+q544e\x1b\\\x9b31m\x90q\x9c\x1b]0;title\x07"
    "\u202egnp\u2066\u200b\U000e0041\ufeff[@click=app.leave]x[/] [/oops] "
    "\x1b[6n\x1b[c\x85\x08\x7fil"
)
SCREEN = (
    NASTY.encode()
    + b"\x9b31m\x90q\x9c\xff\xfe\x1b]8;;file:///etc/passwd\x07link\x1b]8;;\x07\x1b[21t\x1b#8"
    + b"\x1b[2J\x1b[H\xe2\x80\xaegnp.exe [@click=app.leave]click[/] \xf0\x9f\x91\xa8\xe2\x80\x8d"
    + b"\xf0\x9f\x91\xa9 o\xcc\x81\xcc\x81 \xc2\x9b31m\xc2\x9d52;c;eA==\x07 visible\r\n"
)

# Through every screen and dialog, with what must be drawn before the next key; None: when quiet.
STEPS = (
    (b"/gnp\r", None),
    (b"\x1b", None),
    (b"\r", b"Maximise"),
    (b"K", b"Terminate this session?"),
    (b"\x1b", None),
    (b"f", None),
    (b"f", None),
    (b"?", b"What the keys do"),
    (b"\x1b", None),
    (b":", b"Search for commands"),
    (b"\x1b", None),
    (b"2", b"closed"),
    (b"\r", b"Markers"),
    (b" ", b"playing"),
    (b"]", None),
    (b"v", None),
    (b"\x1b[C", None),
    (b"\x1b", b"HOW IT ENDED"),
    (b"1", b"Maximise"),
    (b"\x1b", b"Live sessions"),
)

# All that Textual itself sends: SGR, cursor moves, modes, keyboard protocol, mode queries, erase.
_OURS = re.compile(
    rb"\x1b\[(?:[0-9;:]*m|[0-9;]*H|\?[0-9;]+[hl]|\?[0-9]+\$p|[<>=]?[0-9;]*u|[0-9]*[JKt])|\r|\n"
)


def left_over(output: bytes) -> list[str]:
    """Return what is neither Textual's own nor a character that may be shown."""
    text = _OURS.sub(b"", output).decode("utf-8", errors="surrogateescape")
    return [found.group().encode("unicode_escape").decode() for found in HIDDEN.finditer(text)]


@contextmanager
def broker_alive(stage: Stage) -> Iterator[None]:
    """Renew the lease from a thread of its own, with a store of its own."""
    from psm_console.store import Store
    from tests.console.stage import WORKER, now

    done = threading.Event()

    def beat() -> None:
        with Store.open(stage.home) as store:
            while not done.wait(1.0):
                store.workers.heartbeat(WORKER, now())

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_the_scan_itself_finds_what_it_should() -> None:
    assert left_over(b"\x1b[1;31mred\x1b[0m\x1b[2;3H\x1b[?1049h\r\n") == []
    for bad in (b"\x1b]52;c;eA==\x07", b"\x1bP", b"\xc2\x9b31m", b"\x07", "\u202e".encode()):
        assert left_over(b"x" + bad)


@pytest.mark.attack
def test_no_screen_of_the_console_lets_a_hostile_byte_through(stage: Stage) -> None:
    hostile: dict[str, Any] = {
        "reason": NASTY,
        "ticket": NASTY,
        "client": NASTY,
        "attention": NASTY,
        "request": NASTY,
    }
    past = stage.session("s-past", NASTY, f"{NASTY}@{NASTY}", **hostile)
    past.prints(SCREEN)
    past.marks(NASTY)
    past.prints(SCREEN)
    past.ends(NASTY, NASTY)
    live = stage.session("s-live", NASTY, f"{NASTY}@{NASTY}", **hostile)
    stage.store.sessions.set_last_line(live.id, NASTY)
    live.prints(SCREEN)
    with (
        broker_alive(stage),
        console_in_a_terminal(stage.home.root) as child,
    ):
        child.read_until(lambda output: b"visible" in output)
        for keys, expected in STEPS:
            if keys == b":":
                live.prints(SCREEN)
            child.press(keys)
            child.expect(expected) if expected else child.settle()
        child.press(b"q")
        assert child.wait() == 0
    assert left_over(child.output) == []


@pytest.mark.attack
def test_a_terminal_without_utf_8_gets_nothing_but_ascii(stage: Stage) -> None:
    stage.session("s-1", "ana", reason="café → ✔").prints("漢字 ─ visible\r\n".encode())
    with (
        broker_alive(stage),
        console_in_a_terminal(stage.home.root, LANG="C", LC_ALL="C") as child,
    ):
        child.read_until(lambda output: b"visible" in output)
        child.press(b"\r")
        child.settle()
        child.press(b"q")
        assert child.wait() == 0
    assert child.output.isascii()
    assert left_over(child.output) == []


def test_without_colours_the_state_is_still_there_and_no_colour_is_sent(stage: Stage) -> None:
    stage.session("s-1", "ana").prints(b"\x1b[31mvisible\r\n")
    with (
        broker_alive(stage),
        console_in_a_terminal(stage.home.root, NO_COLOR="1") as child,
    ):
        child.read_until(lambda output: b"visible" in output)
        child.press(b"q")
        assert child.wait() == 0
    assert "● active".encode() in child.output
    codes = {
        code for run in re.findall(rb"\x1b\[([0-9;]*)m", child.output) for code in run.split(b";")
    }
    assert not codes & {
        b"38",
        b"48",
        *(str(number).encode() for number in (*range(30, 38), *range(40, 48))),
    }


def test_a_terminal_that_can_not_be_drawn_on_gets_a_sentence(stage: Stage) -> None:
    with console_in_a_terminal(stage.home.root, TERM="dumb") as child:
        assert child.wait() == 2
    assert b"TERM=dumb" in child.output and b"Traceback" not in child.output
