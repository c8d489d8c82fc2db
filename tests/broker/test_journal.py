"""What the store learns of a session: counts quietly, and what somebody waits for at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psm_console.broker.session.journal import Journal
from psm_console.domain import effects as fx
from psm_console.domain.session import Session
from psm_console.store import Bell, Home, Store, StoreThread
from tests.store.factories import NOON, make_home, make_session, register


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
