"""The console's terminal changes its size without a stop, is told to leave, or is gone."""

from __future__ import annotations

import os
import pty
import random
import signal
import termios

import pytest

from tests.console.stage import Stage
from tests.console.terminal_child import TerminalChild, console_in_a_terminal
from tests.support.waiting import eventually_sync

from .test_hostile_text import broker_alive

pytestmark = pytest.mark.fault

SIZES = 200
WIDEST, HIGHEST = 300, 100
ODD = [(0, 0), (1, 1), (1, 60), (300, 1), (1000, 500)]


def settings(descriptor: int) -> list[object]:
    """How a terminal treats what is typed and printed, without its speed."""
    found = termios.tcgetattr(descriptor)
    return [*found[:4], found[6]]


def fresh() -> list[object]:
    """The settings of a terminal that nobody has touched."""
    ours, theirs = pty.openpty()
    try:
        return settings(ours)
    finally:
        os.close(ours)
        os.close(theirs)


def given_back(child: TerminalChild) -> bool:
    """Whether what the console switched on in the terminal is off again."""
    for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
        if child.output.rfind(on) > child.output.rfind(off):
            return False
    mouse = child.output.rfind(b"\x1b[?1000h") <= child.output.rfind(b"\x1b[?1000l")
    return mouse and settings(child.master) == fresh()


def unshadowed(stage: Stage) -> bool:
    """Whether it is noted that who watched does so no more."""
    return bool(stage.store.audit.list(action="session.unshadow"))


def watching(stage: Stage, child: TerminalChild) -> None:
    """Have the console show the session, and wait until that is noted."""
    child.read_until(lambda output: b"visible" in output)
    child.press(b"\r")
    child.read_until(lambda output: bool(stage.store.audit.list(action="session.shadow")))
    child.expect(b"Maximise")


def test_a_storm_of_window_sizes_leaves_a_console_that_answers_and_gives_the_terminal_back(
    stage: Stage,
) -> None:
    chosen = random.Random(34)
    sizes = [(chosen.randint(1, WIDEST), chosen.randint(1, HIGHEST)) for _ in range(SIZES)]
    for place, odd in enumerate(ODD):
        sizes.insert(place * SIZES // len(ODD), odd)
    session = stage.session("s-1", "ana")
    session.prints(b"visible\r\n")
    with broker_alive(stage), console_in_a_terminal(stage.home.root) as child:
        watching(stage, child)
        for columns, rows in sizes:
            child.resize(columns, rows)
            child.read_now()
        child.resize(120, 40)
        child.settle()
        session.prints(b"after the storm\r\n")
        child.expect(b"after the storm")
        child.press(b"q")
        assert child.wait() == 0
        assert given_back(child)
    assert b"Traceback" not in child.output


def test_a_console_that_is_told_to_leave_gives_the_terminal_back(stage: Stage) -> None:
    stage.session("s-1", "ana").prints(b"visible\r\n")
    with broker_alive(stage), console_in_a_terminal(stage.home.root) as child:
        watching(stage, child)
        os.kill(child.pid, signal.SIGHUP)
        assert child.wait() == 128 + signal.SIGHUP
        assert given_back(child)
    assert unshadowed(stage)
    assert b"Traceback" not in child.output


def test_a_console_whose_terminal_is_gone_leaves_what_it_watched(stage: Stage) -> None:
    stage.session("s-1", "ana").prints(b"visible\r\n")
    with broker_alive(stage), console_in_a_terminal(stage.home.root) as child:
        watching(stage, child)
        # The place of the master side stays taken, so that nothing else is closed in its stead.
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), child.master)

        def left() -> bool:
            done, status = os.waitpid(child.pid, os.WNOHANG)
            if done:
                child.status = os.waitstatus_to_exitcode(status)
            return bool(done)

        eventually_sync(left, what="the console to leave")
    eventually_sync(lambda: unshadowed(stage), within_s=5, what="the end of the watch")
