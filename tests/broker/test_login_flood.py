"""Bytes that nobody asked for, while the broker decides who somebody is."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import asyncssh
import pytest

from psm_console.broker.entry.login import LoginDesk
from tests.support.waiting import eventually

from .jumper import Jumper
from .stand import Stand

pytestmark = pytest.mark.attack


class _Waiting(asyncssh.SSHClient):
    """Hands on its connection before it is logged in."""

    def __init__(self) -> None:
        self.connection: asyncio.Future[asyncssh.SSHClientConnection] = asyncio.Future()

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.connection.set_result(conn)


@pytest.mark.parametrize("inside", [False, True], ids=["outer", "inner"])
async def test_a_client_that_floods_while_it_is_looked_up_is_cut_before_it_costs_memory(
    stand: Stand, jumper: Jumper, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    worker = stand.broker.running.worker
    decided = threading.Event()
    looking_up: list[LoginDesk] = []

    async def begin(desk: LoginDesk, username: str) -> None:
        looking_up.append(desk)
        await asyncio.to_thread(decided.wait, 30)

    async with contextlib.AsyncExitStack() as stack:
        tunnel = await stack.enter_async_context(await jumper.outer()) if inside else None
        monkeypatch.setattr(LoginDesk, "begin", begin)
        client = _Waiting()
        logging_in = asyncio.ensure_future(
            asyncssh.connect(
                "db1" if inside else "127.0.0.1",
                22 if inside else stand.client.port,
                tunnel=tunnel,
                username=stand.sshd.user if inside else "ana",
                client_factory=lambda: client,
                client_keys=[str(stand.client.key)],
                known_hosts=None,
                config=None,
                agent_path=None,
            )
        )
        connection = await client.connection
        desk = (await eventually(lambda: looking_up, what="the user name to be looked up"))[0]
        leg = stand.broker.ask(lambda: next(leg for leg in worker.legs if leg.login is desk))
        flooding = asyncio.ensure_future(_flood(connection))
        try:
            await eventually(lambda: leg.closed, what="the flood to be cut", within_s=15)
            assert len(leg.connection._inpbuf) < 2 << 20
        finally:
            decided.set()
            flooding.cancel()
        with pytest.raises((asyncssh.Error, OSError)):
            await logging_in


async def _flood(connection: asyncssh.SSHClientConnection) -> None:
    while (transport := connection._transport) is not None:
        if transport.get_write_buffer_size() < 1 << 20:
            with contextlib.suppress(OSError):
                transport.write(bytes(1 << 18))
        await asyncio.sleep(0)
