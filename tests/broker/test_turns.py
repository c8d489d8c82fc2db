"""Whoever sends tens of thousands of tiny packets keeps nobody else of the same worker waiting."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asyncssh.constants import MSG_CHANNEL_REQUEST, MSG_IGNORE
from asyncssh.packet import Boolean, String, UInt32

from psm_console.broker.ssh import turns as module
from psm_console.broker.ssh.turns import TurnTaking
from tests.support.waiting import eventually, eventually_sync

from .asking import Answering, connect
from .stand import Stand

pytestmark = pytest.mark.attack

_TINY = struct.pack(">IBBI", 12, 6, MSG_IGNORE, 0) + bytes(6)
"""A packet to be ignored, as it stands on the wire before there are keys (RFC 4253, 6)."""
_TURNS = 3


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often a connection left the rest of what came for after everybody else's turn."""
    counted: Counter[str] = Counter()
    rest = TurnTaking._rest

    def counting(connection: TurnTaking) -> None:
        counted["ended"] += 1
        rest(connection)

    monkeypatch.setattr(TurnTaking, "_rest", counting)
    return counted


@contextmanager
def flood(port: int) -> Iterator[None]:
    """Send tiny packets instead of a login for as long as they are taken."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"SSH-2.0-crumbs\r\n")
        assert client.recv(4) == b"SSH-"

        def send() -> None:
            try:
                while True:
                    client.sendall(_TINY * 4096)
            except OSError:
                return

        sending = threading.Thread(target=send)
        sending.start()
        try:
            yield
        finally:
            client.shutdown(socket.SHUT_RDWR)
            sending.join()


def test_a_stranger_in_tiny_packets_keeps_nobody_waiting(stand: Stand, turns: Counter[str]) -> None:
    with flood(stand.client.port):
        eventually_sync(lambda: turns["ended"] > _TURNS, what="others to have a turn in between")
        assert stand.client.run(stand.user, "echo in").stdout == b"in\n"


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
async def test_an_operator_in_tiny_packets_keeps_nobody_waiting(
    stand: Stand, turns: Counter[str], cipher: str
) -> None:
    async with stand.enter(encryption_algs=[cipher]) as connection:
        process = await connection.create_process("cat", encoding=None)
        transport, channel = connection._transport, process.channel._send_chan
        assert transport is not None and channel is not None
        transport.pause_reading()
        for _ in range(15_000):
            nonsense = (UInt32(channel), String(b"nonsense"), Boolean(True))
            connection.send_packet(MSG_CHANNEL_REQUEST, *nonsense)
        await eventually(lambda: turns["ended"] > _TURNS, what="others to have a turn in between")
        connection.abort()


async def test_keys_arrive_in_their_order_though_a_turn_ended_between_them(
    stand: Stand, turns: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TURN_S", 0.0)
    monkeypatch.setattr(module, "_STRANGERS_TURN_S", 0.0)
    typed = b"".join(b"%05d" % number for number in range(4000))
    async with await connect(stand, Answering(lambda prompts: [])) as connection:
        process = await connection.create_process("cat", encoding=None)
        for at in range(0, len(typed), 5):
            process.stdin.write(typed[at : at + 5])
        process.stdin.write_eof()
        assert await process.stdout.read() == typed
    assert turns["ended"] > _TURNS
