"""Last lines and keyframes of live sessions, whatever the sessions print and however much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.domain.names import SessionId
from psm_console.domain.session import SessionState
from psm_console.inspector import inspector as module
from psm_console.inspector.inspector import Inspector
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.keyframes import sidecar
from psm_console.recording.recording import Recording
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Store
from tests.recording.making import make_recorder, open_shell
from tests.store.factories import NOON, Clock, make_channel, make_session, make_store, register
from tests.support.waiting import eventually_sync


@dataclass
class Live:
    """A live session with a shell."""

    store: Store
    name: str
    recorder: SessionRecorder
    channel: ChannelRecorder

    @property
    def path(self) -> Path:
        return self.store.home.recording(self.name) / self.channel.file

    def last_line(self) -> str:
        return self.store.sessions.get(self.name).last_line


def begin(store: Store, name: str = "s-1") -> Live:
    store.sessions.begin(make_session(name))
    store.sessions.add_channel(make_channel(name))
    recorder = make_recorder(store.home.recordings, name)
    return Live(store, name, recorder, open_shell(recorder))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(module, "SESSIONS_S", 0.0)
    monkeypatch.setattr(module, "LINES_S", 0.0)
    with make_store(tmp_path, Clock(NOON)) as store:
        register(store)
        yield store


@pytest.fixture
def inspector(store: Store) -> Iterator[Inspector]:
    inspector = Inspector(store, lambda: False)
    yield inspector
    inspector.close()


def settle(inspector: Inspector) -> None:
    """Run rounds until there is nothing more to read."""
    eventually_sync(lambda: not inspector.round(), what="the inspector has read everything")


def test_the_last_line_of_a_session_follows_its_screen(store: Store, inspector: Inspector) -> None:
    live = begin(store)
    live.channel.output(1, b"first line\r\n$ make")
    settle(inspector)
    lines = [live.last_line()]
    live.channel.output(2, b" all\r\n\r\n\r\n")
    settle(inspector)
    lines.append(live.last_line())
    live.channel.output(3, b"\x1b[2J")
    settle(inspector)
    lines.append(live.last_line())

    assert lines == ["$ make", "$ make all", ""]
    live.recorder.close(4, "done")


@pytest.mark.attack
def test_a_hostile_last_line_is_made_visible_and_short(store: Store, inspector: Inspector) -> None:
    live = begin(store)
    hostile = "\u202eevil\u200b \x1b]52;c;AAAA\x07" + "x" * 60 + "\r\n"
    live.channel.output(1, hostile.encode() + ("[@click=app.quit]" * 30).encode())
    settle(inspector)

    assert live.last_line().isprintable()
    assert 0 < len(live.last_line()) <= 200
    live.channel.output(2, b"\r\n" + "\u202eevil".encode())
    settle(inspector)
    assert "\u202e" not in live.last_line()
    assert "evil" in live.last_line()
    live.recorder.close(2, "done")


def test_keyframes_are_there_while_the_session_lives_and_complete_after(
    store: Store, inspector: Inspector
) -> None:
    live = begin(store)
    for number in range(3000):
        live.channel.output(number / 100, b"\x1b[%d;1Hrow \x1b[3%dm%d\x1b[0m\x1b[K" % (
            number % 24 + 1, number % 8, number,
        ))  # fmt: skip
    settle(inspector)
    assert sidecar(live.path).stat().st_size > 1000

    live.recorder.close(40, "done")
    store.sessions.end(SessionId("s-1"), NOON + timedelta(seconds=40), "done")
    settle(inspector)
    told: list[float] = []
    with Recording.open(live.path.parent, progress=told.append) as recording:
        assert told == [], "the index had to be made again"
        assert "2999" in "".join(recording.text_at(39))


def test_a_channel_that_closes_is_let_go_while_its_session_goes_on(
    store: Store, inspector: Inspector
) -> None:
    live = begin(store)
    live.channel.output(1, b"bye")
    live.channel.close(2)
    settle(inspector)

    assert live.last_line() == "bye"
    assert not inspector._watches
    settle(inspector)
    assert not inspector._watches
    live.recorder.close(3, "done")


def test_a_flood_does_not_keep_the_others_waiting(
    store: Store, inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.0)
    flood, quiet = begin(store, "s-1"), begin(store, "s-2")
    for number in range(600):
        flood.channel.output(number / 100, b"\x1b[31mxyz \x1b[0m\x1b[5;7H\r\n" * 200)
    quiet.channel.output(1, b"$ uptime")

    more = inspector.round()

    assert more, "the flood was read in one turn: make it longer"
    assert quiet.last_line() == "$ uptime"
    flood.recorder.close(10, "done")
    quiet.recorder.close(10, "done")


def test_it_stops_between_turns_when_told(store: Store) -> None:
    live = begin(store)
    for number in range(600):
        live.channel.output(number / 100, b"\x1b[31mxyz \x1b[0m\x1b[5;7H\r\n" * 200)
    stop = False
    inspector = Inspector(store, lambda: stop)
    stop = True
    inspector.round()
    inspector.close()

    assert sidecar(live.path).stat().st_size < 1000
    live.recorder.close(10, "done")


@pytest.mark.fault
def test_a_session_that_was_lost_is_let_go(store: Store, inspector: Inspector) -> None:
    live = begin(store)
    live.channel.output(1, b"x")
    settle(inspector)
    assert inspector._watches
    clock = store.clock
    assert isinstance(clock, Clock)
    clock.now = NOON + timedelta(seconds=60)
    assert store.sessions.get("s-1").state is SessionState.LOST

    settle(inspector)

    assert not inspector._watches
    live.recorder.close(2, "done")


@pytest.mark.fault
def test_a_cast_that_can_not_be_read_is_given_up_and_the_others_go_on(
    store: Store, inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    broken, fine = begin(store, "s-1"), begin(store, "s-2")
    broken.path.write_bytes(b"garbage\n")
    fine.channel.output(1, b"fine")

    for _ in range(4):
        settle(inspector)

    assert fine.last_line() == "fine"
    assert len(inspector._done) == 1
    fine.recorder.close(2, "done")


def test_an_inspector_that_was_killed_is_followed_by_one_that_goes_on(store: Store) -> None:
    live = begin(store)
    for number in range(3000):
        live.channel.output(number / 100, b"\x1b[%d;1Hrow %d\x1b[K" % (number % 24 + 1, number))
    first = Inspector(store, lambda: False)
    settle(first)
    size = sidecar(live.path).stat().st_size
    for watch in first._watches.values():
        watch._index.close()
    second = Inspector(store, lambda: False)
    live.channel.output(50, b"\x1b[2J\x1b[Hafter")
    settle(second)

    assert live.last_line() == "after"
    assert sidecar(live.path).stat().st_size >= size
    second.close()
    live.recorder.close(60, "done")
