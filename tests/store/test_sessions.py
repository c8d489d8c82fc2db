"""Sessions read back as they were written, and as lost when nobody holds them any more."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.session import (
    ChannelKind,
    Ledger,
    Outcome,
    SessionState,
)
from psm_console.store import Ambiguous, NotFound
from psm_console.store.sessions import BROKER_STOPPED
from tests.support.waiting import eventually_sync

from .factories import (
    NOON,
    ROOT,
    WORKER,
    Clock,
    make_channel,
    make_directive,
    make_session,
    make_store,
    register,
    register_elsewhere,
)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_session_reads_back_as_it_was_written(tmp_path: Path) -> None:
    session = make_session(
        ticket="CHG-1",
        request="r-1",
        reason="patching",
        activity=(0, 3, 9),
        output_bytes=12,
        input_bytes=1,
        last_line="root@db1:~# ",
        attention="unwatched pause",
        channels=(
            make_channel(ledger=Ledger(output_bytes=12, discarded_bytes=3)),
            make_channel(
                number=2, kind=ChannelKind.EXEC, pty=False, command="id", file="2-exec.cast"
            ),
        ),
    )
    with make_store(tmp_path) as store:
        register(store)

        store.sessions.begin(session)

        assert store.sessions.get(session.id) == session
        assert store.sessions.list() == [session]
        assert store.sessions.held_by(WORKER) == [session]
        assert store.sessions.held_by(WorkerId("other")) == []


def test_a_unique_beginning_of_an_id_is_enough(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        for name in ("s-71", "s-7100", "s-8"):
            store.sessions.begin(make_session(name))

        assert store.sessions.get("s-8").id == "s-8"
        assert store.sessions.get("s-71").id == "s-71"
        assert store.sessions.get("s-710").id == "s-7100"
        with pytest.raises(Ambiguous, match="s-71, s-7100, s-8"):
            store.sessions.get("s-")


@pytest.mark.attack
@pytest.mark.parametrize("name", ["", "x", "%", "_-7100", "*", "s-7100 ", "\x1b]0;x\x07", "' OR 1"])
def test_what_is_no_id_finds_nothing_and_is_shown_harmlessly(tmp_path: Path, name: str) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())

        with pytest.raises(NotFound) as caught:
            store.sessions.get(name)

        assert str(caught.value).isprintable()


def test_lists_are_oldest_first_and_filtered(tmp_path: Path) -> None:
    pg = AccountRef("postgres", "pg-1")
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session("b", started_at=later(5), operator="bo", account=pg))
        store.sessions.begin(make_session("a", started_at=later(9), reason="Disk FULL"))
        store.sessions.begin(
            make_session("c", started_at=NOON, channels=(make_channel("c", command="reboot"),))
        )
        store.sessions.begin(make_session("d", state=SessionState.ENDED, ended_at=NOON))

        def names(**wanted: object) -> list[str]:
            return [one.id for one in store.sessions.list(**wanted)]  # type: ignore[arg-type]

        assert names() == ["c", "b", "a"]
        assert names(live_only=False) == ["c", "d", "b", "a"]
        assert names(operator="bo") == ["b"]
        assert names(operator="b*") == ["b"]
        assert names(operator="?o") == []
        assert names(target="db1") == ["c", "a"]
        assert names(target="postgres@pg-1") == ["b"]
        assert names(target="*@db*") == ["c", "a"]
        assert names(since=later(5)) == ["b", "a"]
        assert names(until=later(5)) == ["c"]
        assert names(text="disk full") == ["a"]
        assert names(text="REBOOT") == ["c"]
        assert names(limit=2) == ["b", "a"]
        assert names(limit=0) == []


def test_the_worker_s_changes_are_read_back(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session(state=SessionState.CONNECTING))
        one = SessionId("s-7100")

        store.sessions.set_state(one, SessionState.PAUSED, paused_by="sue", paused_at=later(3))
        store.sessions.add_channel(make_channel())
        store.sessions.counters(one, 100, 7, (0, 100))
        store.sessions.set_last_line(one, "rm -rf\x1b[2K /")
        store.sessions.set_attention(one, "look")

        read = store.sessions.get(one)
        assert (read.state, read.paused_by, read.paused_at) == (
            SessionState.PAUSED,
            "sue",
            later(3),
        )
        assert (read.output_bytes, read.input_bytes, read.activity) == (100, 7, (0, 100))
        assert (read.last_line, read.attention) == ("rm -rf\\x1b[2K /", "look")

        store.sessions.set_ledgers(one, {1: Ledger(output_bytes=4), 7: Ledger()})
        assert store.sessions.get(one).channels[0].ledger == Ledger(output_bytes=4)
        store.sessions.close_channel(one, 1, later(9), "signal TERM", Ledger(output_bytes=5))
        store.sessions.set_ledgers(one, {1: Ledger(output_bytes=4)})  # one that came late
        store.sessions.set_state(one, SessionState.ACTIVE)
        store.sessions.set_attention(one, None)

        read = store.sessions.get(one)
        assert (read.paused_by, read.paused_at, read.attention) == (None, None, None)
        assert read.channels[0].exit == "signal TERM"
        assert read.channels[0].ledger == Ledger(output_bytes=5)


def test_the_first_end_stands(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session())
        one = SessionId("s-7100")

        assert store.sessions.end(one, later(5), "terminated", "sue") is True
        assert store.sessions.end(one, later(9), "again", "bo") is False
        store.sessions.set_state(one, SessionState.ACTIVE)

        read = store.sessions.get(one)
        assert (read.state, read.ended_at) == (SessionState.ENDED, later(5))
        assert (read.end_reason, read.ended_by) == ("terminated", "sue")
        assert store.sessions.list() == []


def test_changing_what_is_not_there_raises(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        for change in (
            lambda: store.sessions.end(SessionId("x"), NOON),
            lambda: store.sessions.set_attention(SessionId("x"), None),
            lambda: store.sessions.close_channel(SessionId("x"), 1, NOON, None, Ledger()),
        ):
            with pytest.raises(NotFound):
                change()


class TestLost:
    @pytest.mark.fault
    def test_a_session_whose_lease_has_run_out_reads_as_lost(self, tmp_path: Path) -> None:
        clock = Clock()
        with make_store(tmp_path, clock) as store:
            register(store)
            store.sessions.begin(make_session())

            clock.now = later(5)
            assert store.sessions.get("s-7100").state is SessionState.ACTIVE
            clock.now = later(5.1)

            read = store.sessions.list()[0]
            assert (read.state, read.ended_at) == (SessionState.LOST, None)

    @pytest.mark.fault
    @pytest.mark.parametrize("jump", [-3600, 3600])
    def test_a_clock_that_jumps_does_not_keep_or_lose_a_session_beyond_a_heartbeat(
        self, tmp_path: Path, jump: float
    ) -> None:
        clock = Clock()
        with make_store(tmp_path, clock) as store:
            register(store)
            store.sessions.begin(make_session())

            clock.now = later(jump)
            assert store.sessions.list()[0].state is SessionState.LOST
            store.workers.heartbeat(WORKER, clock.now)

            assert store.sessions.list()[0].state is SessionState.ACTIVE

    def test_a_session_of_a_retired_or_unknown_worker_reads_as_lost(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store:
            store.sessions.begin(make_session("a"))
            store.sessions.begin(make_session("b", worker=None))
            register(store)
            assert store.sessions.get("a").state is SessionState.ACTIVE
            assert store.sessions.get("b").state is SessionState.LOST

            store.workers.retire(WORKER)

            assert store.sessions.get("a").state is SessionState.LOST
            with pytest.raises(NotFound):
                store.workers.heartbeat(WORKER, NOON)

    @pytest.mark.fault
    def test_a_killed_broker_s_sessions_are_lost_at_once_even_as_a_zombie(
        self, tmp_path: Path
    ) -> None:
        broker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        with make_store(tmp_path) as store:
            store.workers.register(WORKER, broker.pid, NOON, "127.0.0.1", 1)
            store.sessions.begin(make_session())
            assert store.sessions.list()[0].state is SessionState.ACTIVE

            broker.kill()

            eventually_sync(lambda: store.sessions.list()[0].state is SessionState.LOST)
            broker.communicate()
            assert store.sessions.list()[0].state is SessionState.LOST

    def test_another_process_with_the_number_of_a_dead_broker_holds_nothing(
        self, tmp_path: Path
    ) -> None:
        with make_store(tmp_path) as store:
            register(store)
            store.sessions.begin(make_session())
            with store.transaction():
                store._connection.run("UPDATE workers SET process = process || '1'")

            assert store.sessions.list()[0].state is SessionState.LOST

    def test_a_process_seen_from_another_container_is_judged_by_its_lease_alone(
        self, tmp_path: Path
    ) -> None:
        clock = Clock()
        with make_store(tmp_path, clock) as store:
            register(store)
            store.sessions.begin(make_session())
            with store.transaction():
                store._connection.run("UPDATE workers SET pid = 999999, process = 'other ns 1'")

            assert store.sessions.list()[0].state is SessionState.ACTIVE
            clock.now = later(6)
            assert store.sessions.list()[0].state is SessionState.LOST

    @pytest.mark.fault
    def test_a_starting_broker_puts_away_what_a_dead_one_left(self, tmp_path: Path) -> None:
        clock = Clock()
        alive = WorkerId("w-2")
        with make_store(tmp_path, clock) as store:
            register_elsewhere(store)
            store.sessions.begin(make_session("dead", channels=(make_channel("dead"),)))
            store.directives.add(make_directive("d-1", "dead"))
            store.workers.heartbeat(WORKER, later(60))
            clock.now = later(3600)
            store.watchers.enter(SessionId("dead"), "sue", "t", clock.now)
            register(store, alive, clock.now)
            store.sessions.begin(make_session("mine", worker=alive))

            lost = store.sessions.mark_lost(clock.now)

            assert [one.id for one in lost] == ["dead"]
            assert lost == [store.sessions.get("dead")]
            assert (lost[0].state, lost[0].end_reason) == (SessionState.LOST, BROKER_STOPPED)
            assert lost[0].ended_at == lost[0].channels[0].closed_at == later(60)
            assert lost[0].watchers == ()
            assert store.directives.get("d-1").outcome is Outcome.FAILED
            assert [one.id for one in store.sessions.list()] == ["mine"]
            assert store.sessions.mark_lost(clock.now) == []
            assert [one.id for one in store.workers.list()] == [alive]

    def test_a_broker_that_was_only_stalled_can_still_say_how_it_ended(
        self, tmp_path: Path
    ) -> None:
        clock = Clock()
        with make_store(tmp_path, clock) as store:
            register_elsewhere(store)
            store.sessions.begin(make_session())
            clock.now = later(60)
            store.sessions.mark_lost(clock.now)

            assert store.sessions.end(SessionId("s-7100"), clock.now, "client left") is True

            assert store.sessions.get("s-7100").state is SessionState.ENDED

    @pytest.mark.fault
    @pytest.mark.parametrize("later_s", [3600, -3600])
    def test_a_broker_that_runs_and_could_not_write_keeps_its_sessions(
        self, tmp_path: Path, later_s: float
    ) -> None:
        """The store was held, the machine slept, the clock was set, and another worker died."""
        clock = Clock()
        with make_store(tmp_path, clock) as store:
            register(store)
            store.sessions.begin(make_session())
            store.directives.add(make_directive("d-1", "s-7100"))
            clock.now = later(later_s)
            assert store.sessions.list()[0].state is SessionState.LOST

            assert store.sessions.mark_lost(clock.now) == []

            store.workers.heartbeat(WORKER, clock.now)
            assert store.sessions.list()[0].state is SessionState.ACTIVE
            assert store.directives.get("d-1").outcome is Outcome.PENDING

    @pytest.mark.fault
    def test_a_retired_broker_keeps_no_session_though_its_process_runs(
        self, tmp_path: Path
    ) -> None:
        with make_store(tmp_path) as store:
            register(store)
            store.sessions.begin(make_session())
            store.workers.retire(WORKER)

            assert [one.id for one in store.sessions.mark_lost(NOON)] == ["s-7100"]


class TestWatchers:
    def test_each_watcher_is_named_once_first_comer_first(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store:
            register(store)
            store.sessions.begin(make_session())
            one = SessionId("s-7100")
            for number, name in enumerate(["sue", "bo", "sue"]):
                store.watchers.enter(one, name, f"t{number}", later(number / 10))

            assert store.sessions.list()[0].watchers == ("sue", "bo")

            assert store.watchers.leave("t1") == (one, "bo")
            assert store.watchers.leave("t1") is None
            assert store.sessions.list()[0].watchers == ("sue",)

    @pytest.mark.fault
    def test_a_console_that_died_no_longer_counts_as_watching(self, tmp_path: Path) -> None:
        clock = Clock()
        with make_store(tmp_path, clock) as store:
            register(store)
            store.sessions.begin(make_session())
            store.watchers.enter(SessionId("s-7100"), "dead", "t1", NOON)
            store.watchers.enter(SessionId("s-7100"), "sue", "t2", NOON)
            assert store.watchers.refresh("t2", later(14)) is True

            clock.now = later(16)

            assert store.sessions.list()[0].watchers == ("sue",)
            store.watchers.enter(SessionId("s-7100"), "bo", "t3", clock.now)
            assert store.watchers.refresh("t1", clock.now) is False

    def test_nobody_watches_a_session_that_is_over(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store:
            register(store)
            store.sessions.begin(make_session())
            store.watchers.enter(SessionId("s-7100"), "sue", "t1", NOON)

            store.sessions.end(SessionId("s-7100"), NOON)

            assert store.sessions.get("s-7100").watchers == ()


def test_thousands_of_sessions_are_listed_with_a_handful_of_queries(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        with store.transaction():
            for number in range(2000):
                name = f"s-{number:05}"
                store.sessions.begin(make_session(name, channels=(make_channel(name),)))
        asked: list[str] = []
        store._connection.raw.set_trace_callback(asked.append)

        found = store.sessions.list()

        store._connection.raw.set_trace_callback(None)
        assert len(found) == 2000 and all(len(one.channels) == 1 for one in found)
        assert len(asked) <= 6, asked


def test_another_process_sees_the_session(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session(account=ROOT))
        code = (
            "import sys, pathlib; from psm_console.store import Home, Store\n"
            "for one in Store.open(Home(pathlib.Path(sys.argv[1]))).sessions.list():\n"
            "    print(one.id, one.account)"
        )

        done = subprocess.run(
            [sys.executable, "-c", code, str(store.home.root)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ},
        )

        assert done.stdout == "s-7100 root@db1\n"
