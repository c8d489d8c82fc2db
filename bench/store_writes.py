"""How fast the store takes what a busy broker writes, and gives what a console lists.

    python -m bench.store_writes [ARCHIVED]

Each figure is per second or in milliseconds, on the disk that the temporary directory is on:
`TMPDIR=/var/tmp python -m bench.store_writes` measures another one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.session import Channel, ChannelKind, Session, SessionState
from psm_console.operations import init
from psm_console.store import Home, Store, StoreThread, utc_now

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKER = WorkerId("w-bench")
LIVE = 300


def main(archived: int = 20_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        init(home, utc_now())
        with Store.open(home) as store:
            store.workers.register(WORKER, os.getpid(), utc_now(), "127.0.0.1", 1)
            with store.transaction():
                for number in range(archived + LIVE):
                    _record(store, number, live=number >= archived)
            live = [session.id for session in store.sessions.list()]
            print(f"{archived} archived recordings, {len(live)} live sessions")
            _rate("counters, one transaction each", 2000, partial(_count, store, live))
            _rate("audit entries, one transaction each", 2000, partial(_note, store))
            with store.transaction():
                _rate("audit entries in one transaction", 5000, partial(_note, store))
            _time("list the live sessions", store.sessions.list)
            _time("list the newest 200 recordings", lambda: store.recordings.list(limit=200))
            _time("list all recordings", store.recordings.list)
            _time("search all recordings", lambda: store.recordings.list(text="no such"))
            _time("verify the audit log", store.audit.verify)
        _through_thread(home, live)


def _record(store: Store, number: int, *, live: bool) -> None:
    name = SessionId(f"s-{number:06}")
    at = START + timedelta(minutes=number)
    session = Session(
        id=name,
        state=SessionState.ACTIVE if live else SessionState.ENDED,
        operator="ana",
        account=AccountRef("root", "db1"),
        started_at=at,
        worker=WORKER,
        activity=tuple(range(12)),
        channels=(Channel(name, 1, ChannelKind.SHELL, True, None, "1-shell.cast", at),),
    )
    store.sessions.begin(session)
    store.recordings.add_file(name, "1-shell.cast", "shell", at)


def _count(store: Store, live: list[SessionId], number: int) -> None:
    store.sessions.counters(live[number % len(live)], number, number, range(12))


def _note(store: Store, number: int) -> None:
    store.audit.append(utc_now(), "session.pause", "sue", detail={"reason": f"r{number}"})


def _through_thread(home: Home, live: list[SessionId]) -> None:
    """A second of a busy broker: every session's counters, and an order that waits behind them."""
    thread = StoreThread(home)
    begun = time.perf_counter()
    futures = [thread.submit(partial(_count_of, name, number)) for number, name in enumerate(live)]
    waited = thread.submit(lambda store: store.directives.pending(WORKER))
    waited.result()
    print(f"{'an order behind the counters of all sessions':<44} {_ms(begun):10.1f} ms")
    for future in futures:
        future.result()
    thread.close()


def _count_of(name: SessionId, number: int, store: Store) -> None:
    store.sessions.counters(name, number, number, range(12))


def _rate(name: str, count: int, act: Callable[[int], object]) -> None:
    begun = time.perf_counter()
    for number in range(count):
        act(number)
    print(f"{name:<44} {count / (time.perf_counter() - begun):10.0f} /s")


def _time(name: str, act: Callable[[], object]) -> None:
    begun = time.perf_counter()
    act()
    print(f"{name:<44} {_ms(begun):10.1f} ms")


def _ms(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
