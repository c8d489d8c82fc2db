"""The one writer thread: jobs run in order, their results and errors come back."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import pytest

from psm_console.store import Home, NotFound, Store, StoreError, StoreThread
from tests.support.limits import no_descriptor

from .factories import NOON, Clock, make_home, make_session, register

FULL = 2
NORMAL = 1
real_fsync = os.fsync


def made(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    Store.create(home).close()
    return home


def begin(name: str, store: Store) -> None:
    """Begin a session."""
    store.sessions.begin(make_session(name))


async def test_jobs_run_in_order_on_one_other_thread(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path), clock=Clock(NOON))
    ran: list[int] = []
    on: set[int] = set()

    def job(number: int, store: Store) -> int:
        ran.append(number)
        on.add(threading.get_ident())
        return number

    async with asyncio.timeout(20):
        futures = [thread.submit(partial(job, number)) for number in range(50)]
        assert [future.result(10) for future in futures] == list(range(50))
        await thread.call(register)
        await thread.call(lambda store: store.sessions.begin(make_session()))
        assert [s.id for s in await thread.call(lambda store: store.sessions.list())] == ["s-7100"]
    thread.close()

    assert ran == list(range(50))
    assert len(on) == 1 and threading.get_ident() not in on


async def test_what_a_job_raises_reaches_its_caller_and_nobody_else(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))

    with pytest.raises(NotFound):
        await thread.call(lambda store: store.sessions.get("x"))

    assert await thread.call(lambda store: store.sessions.list()) == []
    thread.close()


def test_what_is_queued_is_done_before_the_thread_closes(tmp_path: Path) -> None:
    home = made(tmp_path)
    thread = StoreThread(home)
    for number in range(20):
        thread.submit(partial(begin, f"s-{number}"))

    thread.close()
    thread.close()

    with Store.open(home) as store:
        assert len(store.sessions.list()) == 20
    with pytest.raises(StoreError, match="closed"):
        thread.submit(lambda store: None)


def test_a_store_that_can_not_be_opened_is_the_starter_s_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        StoreThread(make_home(tmp_path))


async def test_a_job_that_was_cancelled_while_queued_never_runs(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))
    hold = threading.Event()
    ran: list[str] = []
    first = thread.submit(lambda store: hold.wait(10))
    second = thread.submit(lambda store: ran.append("second"))

    assert second.cancel()
    hold.set()

    first.result(10)
    thread.close()
    assert ran == []


def queued(thread: StoreThread, jobs: list[Callable[[Store], object]]) -> list[Future[object]]:
    """Queue jobs so that they are found together, and let them run."""
    held, hold = threading.Event(), threading.Event()

    def wait(store: Store) -> None:
        held.set()
        hold.wait(10)

    thread.submit(wait)
    held.wait(10)
    futures = [thread.submit(job) for job in jobs]
    hold.set()
    return futures


def syncs(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None] = real_fsync) -> list[int]:
    """Count calls of fsync from Python, and do `act` in their place."""
    calls: list[int] = []

    def fsync(handle: int) -> None:
        calls.append(handle)
        act(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


def test_jobs_that_queued_up_wait_for_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = made(tmp_path)
    thread = StoreThread(home)
    calls = syncs(monkeypatch)

    futures = queued(thread, [partial(begin, f"s-{number}") for number in range(40)])

    for future in futures:
        future.result(10)
    assert len(calls) == 1
    assert thread.submit(_synchronous).result(10) == FULL
    thread.close()
    with Store.open(home) as store:
        assert len(store.sessions.list()) == 40


def test_what_waits_for_no_disk_leaves_the_next_commit_waiting_for_it(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))

    def unsynced(store: Store) -> object:
        with store.unsynced(), store.unsynced():
            inside = _synchronous(store)
        return inside, _synchronous(store)

    together = queued(thread, [unsynced, unsynced])
    assert [one.result(10) for one in together] == [(NORMAL, NORMAL)] * 2
    assert thread.submit(unsynced, first=True).result(10) == (NORMAL, FULL)
    assert thread.submit(_synchronous).result(10) == FULL
    thread.close()


def _synchronous(store: Store) -> object:
    row = store._connection.row("PRAGMA synchronous")
    return None if row is None else row[0]


@pytest.mark.fault
def test_nobody_is_told_that_a_job_is_on_the_disk_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = StoreThread(made(tmp_path))

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    syncs(monkeypatch, fail)
    futures = queued(thread, [partial(begin, "s-1"), partial(begin, "s-2")])

    for future in futures:
        with pytest.raises(StoreError, match="Input/output error"):
            future.result(10)
    monkeypatch.undo()
    thread.submit(partial(begin, "s-3")).result(10)
    thread.close()


@pytest.mark.fault
def test_a_machine_without_a_descriptor_does_not_end_the_thread(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))
    thread.submit(partial(begin, "s-0")).result(10)
    with no_descriptor():
        futures = queued(thread, [partial(begin, "s-1"), partial(begin, "s-2")])
        for future in futures:
            with pytest.raises(StoreError, match="Too many open files"):
                future.result(10)
    assert thread.submit(lambda store: len(store.sessions.list())).result(10) == 3
    thread.close()


@pytest.mark.fault
def test_whatever_goes_wrong_between_jobs_is_told_and_does_not_end_the_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = StoreThread(made(tmp_path))

    def relaxed(store: Store) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "relaxed", relaxed)
    first, alone = queued(thread, [partial(begin, "s-1"), partial(begin, "s-2")])
    with pytest.raises(StoreError, match="disk I/O error"):
        first.result(10)
    assert alone.result(10) is None
    thread.close()


def test_one_failing_job_in_a_row_of_jobs_fails_alone(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))

    one, two, three = queued(
        thread, [partial(begin, "s-1"), partial(begin, "s-1"), partial(begin, "s-2")]
    )

    assert one.result(10) is None and three.result(10) is None
    with pytest.raises(StoreError):
        two.result(10)
    thread.close()


def test_what_goes_first_waits_for_nothing_that_is_queued(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))
    held, hold = threading.Event(), threading.Event()
    ran: list[str] = []

    def wait(store: Store) -> None:
        held.set()
        hold.wait(10)

    def job(name: str) -> Callable[[Store], None]:
        return lambda store: ran.append(name)

    thread.submit(wait)
    held.wait(10)
    counters = [thread.submit(job("counter")) for _ in range(100)]
    order = thread.submit(job("order"), first=True)
    receipt = thread.submit(job("receipt"), first=True)
    # Neither does it wait for the disk with more than it has to.
    order.add_done_callback(lambda _: ran.append("told"))
    hold.set()

    order.result(10), receipt.result(10)
    for counter in counters:
        counter.result(10)
    thread.close()
    assert ran[:3] == ["order", "receipt", "told"]
    assert ran[3:] == ["counter"] * 100


def test_what_goes_first_interrupts_what_is_done_together(tmp_path: Path) -> None:
    thread = StoreThread(made(tmp_path))
    ran: list[str] = []
    orders: list[Future[None]] = []

    def counter(store: Store) -> None:
        ran.append("counter")
        if len(ran) == 5:
            orders.append(thread.submit(order, first=True))

    def order(store: Store) -> None:
        ran.append("order")

    for future in queued(thread, [counter] * 20):
        future.result(10)
    orders[0].result(10)
    thread.close()
    assert ran.index("order") == 5 and len(ran) == 21


def test_what_goes_first_is_done_too_before_the_thread_closes(tmp_path: Path) -> None:
    home = made(tmp_path)
    thread = StoreThread(home)
    for number in range(20):
        thread.submit(partial(begin, f"s-{number}"), first=number % 2 == 0)
    thread.close()
    with Store.open(home) as store:
        assert len(store.sessions.list()) == 20
