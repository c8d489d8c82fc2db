"""A target that does not do what a server does."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import asyncssh
import pytest
from asyncssh.packet import String, UInt32

from psm_console.broker.channel import coupling, relay
from psm_console.domain.inventory import Target
from psm_console.domain.session import Outcome, Session, Verb
from tests.support.waiting import eventually

from .stand import Stand

pytestmark = pytest.mark.attack

Act = Callable[["asyncssh.SSHServerChannel[bytes]"], None]


class Evil(asyncssh.SSHServer):
    """Lets everybody in; `act` is what it does with a channel once a program was asked for."""

    def __init__(self, act: Act | None, prepare: Act | None) -> None:
        self._act, self._prepare = act, prepare

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        return False

    def session_requested(self) -> Any:
        if self._act is None:
            return asyncio.Event().wait()
        channel = self._connection.create_server_channel(encoding=None)
        if self._prepare is not None:
            self._prepare(channel)
        act = self._act

        class Half(asyncssh.SSHServerSession[bytes]):
            def exec_requested(self, command: str) -> bool:
                return True

            def pty_requested(self, *arguments: object) -> bool:
                return True

            def session_started(self) -> None:
                act(channel)

        return channel, Half()


@asynccontextmanager
async def evil_target(
    stand: Stand, act: Act | None, prepare: Act | None = None
) -> AsyncIterator[None]:
    """`db1` is a server of our own inside the block."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        lambda: Evil(act, prepare), "127.0.0.1", 0, server_host_keys=[key], encoding=None
    )
    inventory = stand.inventory()
    line = key.export_public_key().decode().strip()
    target = Target("db1", "127.0.0.1", server.get_port(), (line,))
    stand.apply(dataclasses.replace(inventory, targets={"db1": target}))
    try:
        yield
    finally:
        stand.apply(inventory)
        server.close()


async def run(stand: Stand, command: str = "x") -> tuple[int, bytes, bytes]:
    done = await asyncio.to_thread(stand.client.run, stand.user, command)
    return done.returncode, done.stdout, done.stderr


async def last(stand: Stand) -> Session:
    return await asyncio.to_thread(stand.last)


async def test_a_target_that_never_opens_a_channel_is_given_up(stand: Stand) -> None:
    with mock.patch.object(relay, "OPEN_TIMEOUT_S", 0.3):
        async with evil_target(stand, None):
            status, _, said = await run(stand)
    assert status == 255 and b"did not answer" in said
    assert (await last(stand)).ended_at


async def test_a_target_that_never_answers_a_request_is_given_up(stand: Stand) -> None:
    def mute(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channel._process_exec_request = lambda packet: None  # type: ignore

    with mock.patch.object(relay, "OPEN_TIMEOUT_S", 0.3):
        async with evil_target(stand, lambda channel: None, mute):
            status, _, said = await run(stand)
    assert status == 255 and b"did not answer" in said
    assert (await last(stand)).ended_at


async def test_a_second_exit_status_ends_the_session_with_a_reason(stand: Stand) -> None:
    def twice(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channel.write(b"out")
        for _ in range(2):
            channel._send_request(b"exit-status", UInt32(7))

    async with evil_target(stand, twice):
        status, out, _ = await run(stand)
    ended = await last(stand)
    assert status in (7, 254, 255)
    assert ended.end_reason and ended.channels[0].ledger.output_bytes == len(out)


async def test_output_before_the_answer_and_a_close_do_not_hang_the_client(stand: Stand) -> None:
    def early(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        def process(packet: object) -> None:
            channel.write(b"early")
            channel._close_send()

        channel._process_exec_request = process  # type: ignore

    with mock.patch.object(relay, "OPEN_TIMEOUT_S", 0.5):
        async with evil_target(stand, lambda channel: None, early):
            status, _, _ = await run(stand)
    assert status == 255
    assert (await last(stand)).ended_at


async def test_a_hostile_signal_name_is_shown_and_not_obeyed(stand: Stand) -> None:
    def die(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channel._send_request(
            b"exit-signal", String("X\x1b]0;pwned\x07"), b"\0", String(""), String("")
        )
        channel.close()

    async with evil_target(stand, die):
        status, _, said = await run(stand)
    assert status == 255 and b"\x1b" not in said
    assert "\x1b" not in (await last(stand)).channels[0].exit  # type: ignore[operator]


async def test_single_bytes_withheld_cost_memory_for_bytes_not_for_packets(stand: Stand) -> None:
    go = asyncio.Event()

    async def drip(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channel.write(b"up\n")
        await go.wait()
        for n in range(2000):
            channel.write(b"%d" % (n % 10))
        channel.exit(0)

    tasks: list[Awaitable[None]] = []
    async with evil_target(
        stand, lambda channel: tasks.append(asyncio.ensure_future(drip(channel)))
    ):
        process = await asyncio.to_thread(stand.popen, "x")
        assert process.stdout and await asyncio.to_thread(process.stdout.readline) == b"up\n"
        session = await asyncio.to_thread(stand.session)
        await asyncio.to_thread(stand.order, session, Verb.PAUSE)
        go.set()
        driver = stand.broker.running.worker.sessions[session.id]
        await eventually(lambda: driver.relays[1].output.withheld.size == 2000)
        assert len(driver.relays[1].output.withheld) < 10
        answer = await asyncio.to_thread(stand.order, session, Verb.RESUME)
        assert answer.outcome is Outcome.DONE
        out = await asyncio.to_thread(process.communicate)
    assert out[0] == b"0123456789" * 200


async def test_a_client_that_leaves_a_target_that_reads_nothing_frees_its_channel(
    stand: Stand,
) -> None:
    def deaf(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        # asyncssh reads again right after this callback.
        asyncio.get_running_loop().call_soon(channel.pause_reading)
        channel.write(b"up\n")

    with mock.patch.object(coupling, "CLOSE_S", 0.3):
        async with (
            evil_target(stand, deaf),
            stand.enter() as connection,
        ):
            process = await connection.create_process("x", encoding=None)
            assert await process.stdout.readline() == b"up\n"
            session = await asyncio.to_thread(stand.session)
            driver = stand.broker.running.worker.sessions[session.id]
            process.stdin.write(b"x" * (4 << 20))
            channel = driver.relays[1].channel.target
            await eventually(lambda: channel is not None and channel._send_buf_len > 0)
            process.channel.abort()
            await eventually(lambda: not driver.relays, what="the channel to be taken off")


async def test_a_target_that_never_ends_a_key_exchange_costs_bounded_memory(stand: Stand) -> None:
    wires: list[asyncio.Transport] = []

    def vast(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channel._recv_window = channel._init_recv_window = 1 << 30

    def begin(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        connection = channel.get_connection()
        channel.write(b"up\n")
        connection._send_kexinit()
        wire = connection._transport
        assert isinstance(wire, asyncio.Transport)
        wire.pause_reading()
        wires.append(wire)

    async with (
        evil_target(stand, begin, vast),
        stand.enter() as connection,
    ):
        process = await connection.create_process("x", encoding=None)
        assert await process.stdout.readexactly(3) == b"up\n"
        session = await asyncio.to_thread(stand.session)
        driver = stand.broker.running.worker.sessions[session.id]

        process.stdin.write(bytes(64 << 20))

        await eventually(
            lambda: "wire" in driver.relays[1].input.valve._reasons, what="back-pressure"
        )
        await eventually(lambda: process.stdin.channel._send_window == 0, what="a used up window")

        def waiting() -> int:
            assert driver.target is not None
            return sum(len(part) for _, parts in driver.target._deferred_packets for part in parts)

        assert stand.broker.ask(waiting) < 8 << 20
        connection.abort()
        wires[0].abort()
        await eventually(lambda: not stand.sessions(), what="the session's end")
