"""A worker that is replaced: whom it still waits for."""

from __future__ import annotations

import asyncio
import socket

import pytest

from psm_console.broker.service.draining import drain

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
