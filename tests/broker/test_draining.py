"""A worker that is replaced: whom it still waits for."""

from __future__ import annotations

import asyncio
import socket

import pytest

from psm_console.broker.service import draining as draining_module
from psm_console.broker.service.draining import drain
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.fault


def test_a_connection_that_is_accepted_as_its_worker_is_told_to_drain_is_served() -> None:
    with Stand() as own:
        running = own.broker.running

        async def told() -> asyncio.Task[None]:
            """Have the worker drain in the instant after it accepted."""
            async with asyncio.timeout(20):
                while not running.accepting.arriving:  # noqa: ASYNC110  # seen for one turn only
                    await asyncio.sleep(0)
            draining = asyncio.create_task(drain(running, 600.0))
            await asyncio.sleep(0)
            return draining

        due = asyncio.run_coroutine_threadsafe(told(), own.broker.loop)
        with socket.create_connection(("127.0.0.1", running.port), 20) as client:
            draining = due.result(20)
            assert client.recv(8) == b"SSH-2.0-"
            assert not own.broker.ask(draining.done), "the worker left, and dropped who came"
        own.broker.ask(draining.cancel)


@pytest.mark.parametrize("arrivals_s", [600.0, -1.0])
def test_who_is_logging_in_keeps_a_worker_that_drains_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch, arrivals_s: float
) -> None:
    monkeypatch.setattr(draining_module, "_LOOK_S", 0.01)
    monkeypatch.setattr(draining_module, "_ARRIVALS_S", arrivals_s)

    async def looked(seconds: float) -> asyncio.Task[None]:
        found = asyncio.create_task(drain(own.broker.running, 600.0))
        # Timers of a loop go off in their order: it has looked again by then.
        await asyncio.sleep(seconds)
        return found

    with Stand() as own:
        running = own.broker.running
        with socket.create_connection(("127.0.0.1", running.port), 20) as client:
            assert client.recv(8) == b"SSH-2.0-"
            due = asyncio.run_coroutine_threadsafe(looked(0.2), own.broker.loop)
            draining = due.result(20)
            assert own.broker.ask(draining.done) == (arrivals_s < 0)
        eventually_sync(lambda: own.broker.ask(draining.done), what="the worker to leave")
