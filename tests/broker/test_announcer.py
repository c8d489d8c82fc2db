"""When a notice is put into the output, and what is made good afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from psm_console.broker.notice import announcer
from psm_console.broker.notice.announcer import Announcer
from psm_console.broker.notice.tracker import TerminalTracker
from psm_console.domain.session import Size
from psm_console.terminal import Screen
from tests.support.waiting import eventually

SIZE = Size(60, 12)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("_PATIENCE_S", "_BAR_S", "_AGAIN_S", "_REPAINT_S", "_REPAINTED_S", "_TRY_AGAIN_S"):
        monkeypatch.setattr(announcer, name, 0.02)
    monkeypatch.setattr(announcer, "_ROW_S", 0.0)
    yield


class Desk:
    """A program's output on an operator's terminal, with an announcer between the two."""

    def __init__(self, *, known: bool = True) -> None:
        self.seen = Screen(SIZE.columns, SIZE.rows, history=100)
        self.recorded = Screen(SIZE.columns, SIZE.rows, history=100)
        self.sizes: list[int] = []
        self.known = known
        self.tracker = TerminalTracker()
        self.announcer = Announcer(self.tracker, self.seen.feed, self.sizes.append, self.beneath)

    async def beneath(self) -> Screen | None:
        return self.recorded if self.known else None

    def print(self, data: bytes) -> None:
        for screen in (self.seen, self.recorded):
            screen.feed(data)
        self.tracker.observe(data)
        self.announcer.try_now()

    def say(self, text: str, **rest: bool) -> None:
        self.announcer.say(text, SIZE, **({"stays": False} | rest), term="xterm")

    @property
    def shown(self) -> str:
        return self.seen.screen_text()

    def same(self) -> bool:
        return self.shown == self.recorded.screen_text()


@pytest.mark.parametrize("rest", [b"m", b"0;1m"])
async def test_a_sequence_that_was_cut_short_goes_on_behind_the_notice(rest: bytes) -> None:
    """A pause that falls into one would leave `1m` on the screen at the resume."""
    desk = Desk()
    desk.print(b"$ red \x1b[3")
    desk.say("stop")
    assert "stop" not in desk.shown

    await eventually(lambda: "stop" in desk.shown)
    desk.print(rest + b"text")

    assert desk.shown.splitlines()[-1] == "$ red text"
    assert desk.seen.cursor.attrs == desk.recorded.cursor.attrs


@pytest.mark.attack
async def test_an_operator_can_not_keep_a_notice_away_with_an_endless_string() -> None:
    desk = Desk()
    desk.print(b"$ \x1b]0;")
    desk.say("stop")
    desk.print(b"A" * 9000)

    await eventually(lambda: "stop" in desk.shown)
    desk.print(b"AAAA")  # the string goes on, and is not drawn
    desk.print(b"\x07ls")

    assert desk.shown.splitlines()[-1] == "$ ls"


async def test_a_notice_waits_for_the_end_of_a_character_and_of_a_sequence() -> None:
    desk = Desk()
    desk.print("$ 漢".encode()[:-1])
    desk.say("stop")
    assert "stop" not in desk.shown

    desk.print("漢".encode()[-1:])

    assert [line.rstrip() for line in desk.shown.splitlines()] == [" [psm] stop", "$ 漢"]


async def test_a_bar_that_was_painted_over_is_drawn_again_until_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcer, "_BAR_S", 30.0)
    desk = Desk()
    desk.print(b"\x1b[?1049h\x1b[Hfirst row")
    desk.say("stop")
    assert desk.shown.startswith(" [psm] stop")

    desk.print(b"\x1b[Hfirst row again\x1b[K")

    assert "stop" not in desk.shown
    await eventually(lambda: desk.shown.startswith(" [psm] stop"))
    desk.announcer.close()


async def test_what_the_bar_covered_comes_back_without_the_programs_help() -> None:
    desk = Desk()
    desk.print(b"\x1b[?1049h\x1b[H\x1b[1;31mfirst row\x1b[m\r\nsecond\x1b[5;5H")
    desk.say("stop " * 20)
    assert not desk.same()

    await eventually(desk.same)

    assert desk.sizes == []
    assert desk.seen.row_runs(0) == desk.recorded.row_runs(0)
    assert (desk.seen.cursor.x, desk.seen.cursor.y) == (4, 4)


async def test_where_the_screen_is_not_known_the_program_is_asked_to_draw_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One row less, and when it has answered the row again: both at once would be nothing new."""
    monkeypatch.setattr(announcer, "_REPAINT_S", 30.0)
    desk = Desk(known=False)
    desk.print(b"\x1b[?1049h\x1b[Hfirst row")
    desk.say("stop")

    await eventually(lambda: desk.sizes == [1])
    desk.print(b"\x1b[H\x1b[2Jfirst row")
    await eventually(lambda: desk.sizes == [1, 0])

    assert desk.same()


async def test_the_bar_of_a_pause_stays_until_it_is_lifted() -> None:
    desk = Desk()
    desk.print(b"\x1b[?1049h\x1b[Hfirst row")
    desk.say("session paused", stays=True)
    desk.say("message from kim")
    assert "session paused" in desk.shown and "message from kim" in desk.shown

    await eventually(lambda: "message from kim" not in desk.shown)
    assert "session paused" in desk.shown
    desk.say("session resumed", lifts=True)

    assert "session paused" not in desk.shown and "session resumed" in desk.shown
    await eventually(desk.same)


async def test_nothing_is_drawn_for_somebody_who_has_left() -> None:
    left, stays = Desk(), Desk()
    for desk in (left, stays):
        desk.print(b"$ red \x1b[3")
        desk.say("stop")
    left.announcer.close()
    before = left.shown

    # What waited for whoever left was due first.
    await eventually(lambda: "stop" in stays.shown)

    assert left.shown == before and "stop" not in before and left.sizes == []


async def test_a_dumb_terminal_reads_the_text_alone() -> None:
    written: list[bytes] = []
    said = Announcer(TerminalTracker(), written.append, lambda rows: None, Desk().beneath)

    said.say("stop", SIZE, stays=False, term="dumb")

    assert b"".join(written) == b"[psm] stop\r\n"
