"""The one writer thread: jobs run in order, their results and errors come back."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from psm_console.store import Home, NotFound, Store, StoreError, StoreThread

from .factories import NOON, Clock, make_home, make_session, register


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
