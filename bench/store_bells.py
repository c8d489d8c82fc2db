"""How long a change takes to be seen: by a bell, by a watched file system, there and back.

    python -m bench.store_bells [ROUNDS]

One process commits, another re-reads the store when it is woken and answers. Half of the round
trip is one change; `directive` is an order's way to the worker and the receipt's way back.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from bench.figures import spread
from psm_console.domain.names import AccountRef, DirectiveId, SessionId, WorkerId
from psm_console.domain.session import (
    Directive,
    Outcome,
    Receipt,
    Session,
    SessionState,
    Verb,
)
from psm_console.operations import init
from psm_console.store import Bell, Home, Store, listen, utc_now

WORKER = WorkerId("w-bench")
SESSION = SessionId("s-bench")


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        init(home, utc_now())
        _begin(home)
        print(spread("commit → other process has read the row", _changes(home, rounds)))
        print(
            spread("the same without a bell (watchfiles)", _changes(home, rounds // 5, bell=False))
        )
        print(spread("directive → claimed → receipt read", _directives(home, rounds)))


def _begin(home: Home) -> None:
    with Store.open(home) as store:
        store.workers.register(WORKER, os.getpid(), utc_now(), "127.0.0.1", 1)
        account = AccountRef("root", "db1")
        store.sessions.begin(
            Session(SESSION, SessionState.ACTIVE, "ana", account, utc_now(), worker=WORKER)
        )


def _changes(home: Home, rounds: int, *, bell: bool = True) -> list[float]:
    """Return milliseconds from the start of a commit to the moment the other one has read it."""
    if bell:
        os.environ.pop("BENCH_NO_BELL", None)
    else:
        os.environ["BENCH_NO_BELL"] = "1"
    found: list[float] = []
    with _other(home, "reader") as reader, Store.open(home) as store:
        assert reader.stdout is not None
        reader.stdout.readline()
        for number in range(1, rounds + 1):
            begun = time.clock_gettime(time.CLOCK_MONOTONIC)
            store.sessions.counters(SESSION, number, 0, ())
            seen = float(reader.stdout.readline())
            found.append((seen - begun) * 1000)
        reader.terminate()
    return found


def _directives(home: Home, rounds: int) -> list[float]:
    """Return milliseconds from the order's transaction to its receipt."""
    found: list[float] = []
    with _other(home, "worker") as worker, Store.open(home) as store, Bell(home, "store") as bell:
        assert worker.stdout is not None
        worker.stdout.readline()
        for number in range(rounds):
            order = Directive(DirectiveId(f"d-{number}"), SESSION, Verb.PAUSE, "sue", utc_now())
            begun = time.perf_counter()
            with store.transaction():
                store.directives.add(order)
                store.audit.append(utc_now(), "session.pause", "sue", session=SESSION)
            while store.directives.get(order.id).outcome is not Outcome.DONE:
                bell.wait(1)
            found.append((time.perf_counter() - begun) * 1000)
        worker.terminate()
    return found


def _other(home: Home, part: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.store_bells", part, str(home.root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def _read(home: Home) -> None:
    """Print when each new value was read."""
    deaf = bool(os.environ.get("BENCH_NO_BELL"))
    if deaf:
        Bell.__init__ = _refuse  # type: ignore[assignment, method-assign]
    last: int | None = None
    with Store.open(home, read_only=True) as store:
        async with aclosing(listen(home, "store", home.database)) as changes:
            async for _ in changes:
                value = store.sessions.get(SESSION).output_bytes
                now = time.clock_gettime(time.CLOCK_MONOTONIC)
                if last is None:
                    await asyncio.sleep(0.5 if deaf else 0)  # until the watch is in place
                    print("ready", flush=True)
                elif value != last:
                    print(now, flush=True)
                last = value


def _refuse(*_: object) -> None:
    raise OSError


def _work(home: Home) -> None:
    """Claim and finish what is ordered."""
    with Store.open(home) as store, Bell(home, "store") as bell:
        print("ready", flush=True)
        while True:
            bell.wait(1)
            for order in store.directives.pending(WORKER):
                if store.directives.claim(order.id, WORKER, utc_now()):
                    store.directives.finish(order.id, Outcome.DONE, Receipt())


if __name__ == "__main__":
    if sys.argv[1:2] == ["reader"]:
        asyncio.run(_read(Home(Path(sys.argv[2]))))
    elif sys.argv[1:2] == ["worker"]:
        _work(Home(Path(sys.argv[2])))
    else:
        main()
