"""Whoever listens is woken when something was committed, and looks by themselves if not."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from psm_console.domain.session import Ledger
from psm_console.store import Bell, Home, Ringer, Store, bells, listen
from psm_console.store import listening as listening_module
from tests.support.limits import no_descriptor
from tests.support.waiting import eventually_sync

from .factories import make_home, make_session, make_store, register


def ring(home: Home, topic: str) -> int:
    """Ring once."""
    with Ringer(home) as ringer:
        return ringer.ring(topic)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that exists."""
    return make_home(tmp_path)


@pytest.fixture
def ringer(home: Home) -> Iterator[Ringer]:
    """A ringer of that home."""
    with Ringer(home) as made:
        yield made


def waiting(home: Home) -> list[str]:
    """Return the bells in run/."""
    return sorted(os.listdir(home.run))


def test_a_ring_wakes_every_listener_of_the_topic_and_nobody_else(home: Home) -> None:
    with Bell(home, "store") as one, Bell(home, "store") as two, Bell(home, "s-1") as other:
        assert ring(home, "store") == 2

        assert one.wait(5) and two.wait(5)
        assert not other.drain()
        assert not one.drain()
    assert waiting(home) == []


def test_a_bell_is_heard_from_another_process(home: Home) -> None:
    code = (
        "import sys, pathlib; from psm_console.store import Home, Ringer\n"
        "print(Ringer(Home(pathlib.Path(sys.argv[1]))).ring('store'))"
    )
    with Bell(home, "store") as bell:
        command = [sys.executable, "-c", code, str(home.root)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)

        assert done.stdout == "1\n"
        assert bell.wait(5)


def test_waiting_ends_when_nobody_rings(tmp_path: Path) -> None:
    with Bell(make_home(tmp_path), "store") as bell:
        assert bell.wait(0.01) is False


def test_a_ringer_finds_bells_that_come_and_go(home: Home, ringer: Ringer) -> None:
    assert ringer.ring("store") == 0
    for _ in range(20):
        with Bell(home, "store") as one:
            assert ringer.ring("store") == 1
            with Bell(home, "store") as two:
                assert ringer.ring("store") == 2
                assert one.drain() and two.drain()
        assert ringer.ring("store") == 0


def test_a_settled_run_folder_is_not_listed_at_each_ring(
    home: Home, ringer: Ringer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bell(home, "store"):
        past = time.time_ns() - 10 * bells._SETTLED_NS
        os.utime(home.run, ns=(past, past))
        assert ringer.ring("store") == 1
        monkeypatch.setattr(os, "listdir", lambda path: pytest.fail("listed again"))

        assert ringer.ring("store") == 1


@pytest.mark.fault
def test_a_bell_hung_in_the_same_tick_of_the_folder_s_time_stamp_is_found(
    home: Home, ringer: Ringer
) -> None:
    with Bell(home, "store"):
        tick = time.time_ns() + 60_000_000_000  # however slow the machine, not long ago
        os.utime(home.run, ns=(tick, tick))
        assert ringer.ring("store") == 1
        with Bell(home, "store"):
            os.utime(home.run, ns=(tick, tick))

            assert ringer.ring("store") == 2


@pytest.mark.fault
def test_the_bell_of_a_process_that_died_is_unlinked(home: Home) -> None:
    code = (
        "import sys, os, pathlib; from psm_console.store import Home, Bell\n"
        "Bell(Home(pathlib.Path(sys.argv[1])), 'store'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(home.root)], check=False)
    assert len(waiting(home)) == 1

    assert ring(home, "store") == 0

    assert waiting(home) == []


@pytest.mark.fault
def test_ringing_never_blocks_on_a_listener_that_does_not_look(home: Home, ringer: Ringer) -> None:
    with Bell(home, "store") as bell:
        for _ in range(2000):
            assert ringer.ring("store") == 1

        assert bell.drain()
        assert not bell.drain()


@pytest.mark.fault
def test_ringing_survives_whatever_lies_in_run(home: Home) -> None:
    (home.run / "store~1-aa.bell").write_text("no socket")
    (home.run / "store~2-aa.bell").mkdir()
    (home.run / "store~3-aa.bell").symlink_to("/nowhere")
    (home.run / "reserve").write_text("x")
    with Bell(home, "store") as bell:
        assert ring(home, "store") == 1
        assert bell.drain()
    for path in sorted(home.run.iterdir()):
        path.rmdir() if path.is_dir() else path.unlink()
    home.run.rmdir()

    assert ring(home, "store") == 0


@pytest.mark.fault
def test_ringing_never_raises_on_a_machine_without_a_descriptor(home: Home, ringer: Ringer) -> None:
    with Bell(home, "store") as bell:
        past = time.time_ns() - 10 * bells._SETTLED_NS
        os.utime(home.run, ns=(past, past))
        assert ringer.ring("store") == 1 and bell.drain()
        ringer.close()
        with no_descriptor():
            assert ringer.ring("store") == 0
        assert ringer.ring("store") == 1 and bell.drain()


@pytest.mark.parametrize("length", [40, 80, 100])
def test_bells_ring_in_homes_with_long_paths_too(tmp_path: Path, length: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        home = Home(Path(base) / ("x" * (length - len(base) - 1)))
        home.create()

        with Bell(home, "s-" + "0" * 24) as bell:
            assert ring(home, "s-" + "0" * 24) == 1
            assert bell.drain()


def test_a_bell_is_closed_to_others_and_not_inherited(home: Home) -> None:
    with Bell(home, "store") as bell:
        assert (home.run / waiting(home)[0]).stat().st_mode & 0o777 == 0o600
        assert os.get_inheritable(bell.fileno()) is False


def test_the_store_rings_once_after_the_outermost_commit(tmp_path: Path) -> None:
    with make_store(tmp_path) as store, Bell(store.home, "store") as bell:
        reader = Store.open(store.home)
        with store.transaction():
            register(store)
            store.sessions.begin(make_session())
            assert not bell.drain()

        assert len(os.read(bell.fileno(), 16)) == 1
        assert not bell.drain()
        assert len(reader.sessions.list()) == 1
        reader.close()


def test_a_transaction_that_changed_nothing_rings_nothing(tmp_path: Path) -> None:
    """Two workers that looked for orders woke each other for ever."""
    with make_store(tmp_path) as store:
        worker = register(store)
        with Bell(store.home, "store") as bell:
            with store.transaction():
                assert store.directives.pending(worker) == []
            assert not bell.drain()


def test_a_heartbeat_counts_and_a_roll_back_ring_nothing(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        worker = register(store)
        busy = make_session("s-busy")
        store.sessions.begin(busy)
        with Bell(store.home, "store") as bell:
            store.workers.heartbeat(worker, store.clock())
            store.sessions.counters(busy.id, 100, 7, (0, 100))
            store.sessions.set_ledgers(busy.id, {1: Ledger(output_bytes=100)})
            with pytest.raises(RuntimeError), store.transaction():
                store.sessions.begin(make_session())
                raise RuntimeError

            assert not bell.drain()


class TestListening:
    async def test_it_yields_at_once_then_at_each_change(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store:
            changes = listen(store.home, "store", store.home.database, poll_s=30)
            async with aclosing(changes), asyncio.timeout(10):
                await anext(changes)
                for number in range(3):
                    store.sessions.begin(make_session(f"s-{number}"))
                    await anext(changes)
            assert waiting(store.home) == []

    async def test_many_changes_while_the_listener_works_are_one_wake(
        self, home: Home, ringer: Ringer
    ) -> None:
        changes = listen(home, "store", home.database, poll_s=0.2)
        async with aclosing(changes), asyncio.timeout(10):
            await anext(changes)
            for _ in range(50):
                ringer.ring("store")
            await asyncio.sleep(0)
            await anext(changes)

            begun = time.monotonic()
            await anext(changes)
            assert time.monotonic() - begun > 0.1

    async def test_it_looks_by_itself_when_nobody_rings(self, home: Home) -> None:
        changes = listen(home, "store", home.database, poll_s=0.01)
        async with aclosing(changes), asyncio.timeout(10):
            for _ in range(3):
                await anext(changes)

    @pytest.mark.fault
    @pytest.mark.parametrize("watched", ["store", "file"])
    async def test_where_no_bell_can_hang_the_file_system_is_watched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: str
    ) -> None:
        with make_store(tmp_path) as store:
            home = store.home
            live = home.recordings / "1-shell.cast"
            live.write_text("")

            def refuse(*_: object) -> None:
                raise PermissionError

            monkeypatch.setattr(socket.socket, "bind", refuse)
            path = home.database if watched == "store" else live
            changes = listen(home, "topic", path, poll_s=30)
            async with aclosing(changes), asyncio.timeout(20):
                await anext(changes)
                woken = asyncio.ensure_future(anext(changes))
                number = 0
                while not woken.done():  # the watch takes a moment to be in place
                    number += 1
                    if watched == "store":
                        store.sessions.begin(make_session(f"s-{number}"))
                    else:
                        live.open("a").close() if number < 0 else live.write_text(str(number))
                    await asyncio.wait({woken}, timeout=0.05)
            assert number < 200

    async def test_a_watched_file_that_is_missing_leaves_the_poll(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening_module, "Bell", lambda *_: (_ for _ in ()).throw(OSError()))
        changes = listen(home, "s-1", home.recordings / "none.cast", poll_s=0.01)
        async with aclosing(changes), asyncio.timeout(10):
            await anext(changes)
            await anext(changes)


def test_the_reader_of_a_bell_never_misses_the_last_change(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from psm_console.store import Home, Store, utc_now\n"
        "sys.stdin.readline()\n"
        "with Store.open(Home(pathlib.Path(sys.argv[1]))) as store:\n"
        "    for n in range(200): store.audit.append(utc_now(), 'a.b', 'x')\n"
    )
    with make_store(tmp_path) as store, Bell(store.home, "store") as bell:
        writer = subprocess.Popen(
            [sys.executable, "-c", code, str(store.home.root)], stdin=subprocess.PIPE, text=True
        )
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.close()

        seen = 0
        while seen < 200:
            # No poll: only the bell may wake us, and it must for the last commit as well.
            assert select.select([bell], [], [], 20)[0], f"no bell after {seen}"
            bell.drain()
            seen = store.audit.head().id

        assert writer.wait(20) == 0
        eventually_sync(lambda: seen == 200)
