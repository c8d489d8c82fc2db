"""What the store learns of a session: counts quietly, and what somebody waits for at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from psm_console.broker.session.bundle import Bundle, Part
from psm_console.broker.session.journal import Journal
from psm_console.domain import effects as fx
from psm_console.domain.session import Session
from psm_console.store import Bell, Home, Store, StoreError, StoreThread
from tests.store.factories import NOON, make_home, make_session, register
from tests.support.waiting import eventually


@asynccontextmanager
async def journal(folder: Path) -> AsyncIterator[tuple[Journal, Session, StoreThread]]:
    """The journal of a session that the store knows."""
    home, session = make_home(folder), make_session()
    with Store.create(home) as store:
        register(store)
        store.sessions.begin(session)
    thread = StoreThread(home)
    try:
        yield Journal(thread, session, lambda: NOON), session, thread
    finally:
        thread.close()


async def test_counts_ring_no_bell_and_what_somebody_waits_for_does(tmp_path: Path) -> None:
    async with journal(tmp_path) as (kept, session, thread):
        with Bell(Home(tmp_path / "home"), "store") as bell:
            kept.counters(100, 7, (100,))
            await kept.settled()
            assert not bell.drain()

            kept.counters(200, 7, (200,))
            kept.note(fx.SaveAttention("look"))
            await kept.settled()
            assert bell.drain()
        read = await thread.call(lambda store: store.sessions.get(session.id))
        assert (read.output_bytes, read.attention) == (200, "look")


async def test_an_order_s_answer_waits_for_no_counts(tmp_path: Path) -> None:
    async with journal(tmp_path) as (kept, _, thread):
        held, hold, stored = threading.Event(), threading.Event(), threading.Event()

        def wait(store: Store) -> None:
            held.set()
            hold.wait(20)

        thread.submit(wait)
        held.wait(20)
        count = thread.submit(lambda store: stored.wait(20))
        kept.note(fx.SaveAttention("look"))
        kept.flush()
        hold.set()
        try:
            async with asyncio.timeout(15):
                await kept.settled()
        finally:
            stored.set()
        assert count.result(20)


async def test_the_counts_of_many_sessions_are_one_job_of_the_store(tmp_path: Path) -> None:
    async with journal(tmp_path) as (kept, _, thread):
        other = make_session("other")
        await thread.call(lambda store: store.sessions.begin(other))
        another = Journal(thread, other, lambda: NOON)
        jobs = 0
        submit = thread.submit

        def counted(*job: Any, **how: Any) -> Future[Any]:
            nonlocal jobs
            jobs += 1
            return submit(*job, **how)

        thread.submit = counted  # type: ignore[method-assign]
        bundle = Bundle(thread)
        for one in (kept, another):
            one.counters(100, 7, (100,))
            one.flush(bundle)
        assert jobs == 0
        bundle.send()
        await kept.settled()
        await another.settled()
        bundle.send()

        assert jobs == 1
        stored = await thread.call(lambda store: store.sessions.list())
        assert [one.output_bytes for one in stored] == [100, 100]


async def test_a_bundle_that_the_store_does_not_take_is_kept_by_every_journal(
    tmp_path: Path,
) -> None:
    async with journal(tmp_path) as (kept, session, thread):
        full = [StoreError("the disk is full")]

        def refuse(store: Store) -> None:
            if full:
                raise full.pop()

        bundle = Bundle(thread)
        told: list[BaseException | None] = []
        kept.counters(100, 7, (100,))
        kept.flush(bundle)
        bundle.add(Part([refuse], lambda error, refused: told.append(error)))
        bundle.send()
        await eventually(lambda: told, what="the failure")
        await kept.settled()

        assert isinstance(told[0], StoreError)
        read = await thread.call(lambda store: store.sessions.get(session.id))
        assert read.output_bytes == 100
