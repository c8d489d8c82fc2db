"""A client that begins to agree on new keys at a bad moment, and one that takes no answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import MSG_CHANNEL_OPEN, MSG_GLOBAL_REQUEST, MSG_KEXINIT
from asyncssh.packet import Boolean, String, UInt32

from psm_console.broker.session.driver import SessionDriver
from psm_console.broker.ssh import backlog
from tests.support.waiting import eventually

from .stand import Stand

pytestmark = pytest.mark.attack

_ECDH_INIT = 30


@asynccontextmanager
async def deaf(
    stand: Stand,
) -> AsyncIterator[tuple[asyncssh.SSHClientConnection, SessionDriver, Callable[[], Any]]]:
    """A client under a flood that allows any number of bytes and reads none, once that is noticed.

    With it, its session's driver, and a question for the broker: whether the target is not read.
    """
    async with stand.enter(kex_algs=["curve25519-sha256"]) as connection:
        await connection.create_process("cat /dev/zero", encoding=None, window=1 << 31)
        session = await asyncio.to_thread(stand.session)
        transport: Any = connection._transport
        transport.pause_reading()
        driver = stand.broker.running.worker.sessions[session.id]

        def held() -> bool:
            return stand.broker.ask(lambda: "wire" in driver.relays[1].output.valve._reasons)

        await eventually(held, what="back-pressure")
        yield connection, driver, held
        connection.abort()


async def test_new_keys_do_not_make_room_on_a_wire_that_is_full(stand: Stand) -> None:
    async with deaf(stand) as (connection, driver, held):
        operator: Any = driver.operator
        before = operator._send_encryption
        connection._send_kexinit()
        connection._kexinit_sent = True

        connection.send_packet(_ECDH_INIT, String(os.urandom(32)))

        await eventually(lambda: operator._send_encryption is not before, what="the new keys")
        assert held()
        assert stand.broker.ask(operator._transport.get_write_buffer_size) < 8 << 20


async def test_a_wire_that_is_read_again_does_not_finish_what_new_keys_wait_for(
    stand: Stand,
) -> None:
    async with deaf(stand) as (connection, driver, held):
        operator: Any = driver.operator
        connection._send_kexinit()
        await eventually(lambda: not operator._kex_complete, what="the broker's offer")
        client: Any = connection
        client._packet_handlers = {**connection._packet_handlers, MSG_KEXINIT: lambda *_: True}

        transport: Any = connection._transport
        transport.resume_reading()

        wire = operator._transport
        await eventually(
            lambda: not stand.broker.ask(wire.get_write_buffer_size), what="the wire to be free"
        )
        assert held()
        assert len(operator._deferred_packets) < 1000


async def test_a_client_that_asks_on_while_it_agrees_on_no_keys_is_cut(stand: Stand) -> None:
    async with deaf(stand) as (connection, driver, _):
        connection._send_kexinit()
        connection._kex_complete = True  # it sends on
        for _ in range(backlog._MOST_DEFERRED + 100):
            connection.send_packet(MSG_GLOBAL_REQUEST, String(b"keepalive@x"), Boolean(True))
        await eventually(lambda: driver.operator.is_closed(), what="it to be cut")


async def test_a_client_that_asks_on_and_takes_no_answer_is_cut(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "_MOST_UNSENT", 3 << 19)
    async with deaf(stand) as (connection, driver, _):
        odd = String(b"a" * 60)
        for number in range(10_000):
            parts = (odd, UInt32(number), UInt32(1 << 20), UInt32(1 << 15))
            connection.send_packet(MSG_CHANNEL_OPEN, *parts)
            if number % 100 == 0:
                await asyncio.sleep(0)
            if driver.operator.is_closed():
                break
        await eventually(lambda: driver.operator.is_closed(), within_s=6, what="it to be cut")
