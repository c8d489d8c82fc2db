"""What somebody without a key, or with one, can make the broker do by repeating it."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import ExitStack
from unittest import mock

import asyncssh
import pytest

from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.attack


async def knock(port: int, user: str) -> None:
    with pytest.raises(asyncssh.Error):
        await asyncssh.connect(
            "127.0.0.1",
            port,
            username=user,
            client_keys=None,
            known_hosts=None,
            config=None,
            agent_path=None,
        )


def entries(stand: Stand, action: str) -> list[str]:
    found = stand.read(lambda store: store.audit.list(action=action))
    return [str(entry.detail) for entry in found]


async def test_a_stranger_can_not_flood_the_audit_log(stand: Stand) -> None:
    for turn in range(6):
        await asyncio.gather(*(knock(stand.client.port, f"u{turn}-{n}") for n in range(10)))

    written = entries(stand, "login.refuse")
    assert 1 <= len(written) <= 30
    missed = stand.broker.ask(lambda: stand.broker.running.worker.refusals.missed)
    assert missed >= 30


async def test_an_operator_can_not_delay_orders_by_asking_for_what_is_refused(
    stand: Stand,
) -> None:
    async with stand.enter() as connection:

        async def ask() -> None:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", 22)

        for _ in range(20):
            await asyncio.gather(*(ask() for _ in range(50)))
        for _ in range(60):
            result = await connection.run("x", subsystem="netconf", check=False)
            assert result.exit_status != 0

    assert 1 <= len(entries(stand, "channel.refuse")) <= 60


def test_connections_that_never_log_in_leave_room_for_those_that_do(stand: Stand) -> None:
    doorway = stand.broker.running.worker.doorway
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(doorway, "_patience_s", 0.0))
        peers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", stand.client.port), 5))
            for _ in range(150)
        ]

        def waiting() -> int:
            return stand.broker.ask(lambda: doorway.waiting)

        eventually_sync(lambda: waiting() >= 64)
        assert waiting() == 64
        assert stand.client.run(stand.user, "echo in").stdout == b"in\n"
        assert waiting() <= 64
        assert len(peers) == 150
    eventually_sync(lambda: waiting() == 0)


def test_many_who_log_in_at_once_get_in(stand: Stand) -> None:
    results: list[bytes] = []

    def run() -> None:
        results.append(stand.client.run(stand.user, "echo in").stdout)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [b"in\n"] * 12
