"""The short way of packets: what asyncssh must see, it sees, and nothing else changes."""

from __future__ import annotations

import os
from typing import Any

import asyncssh
import pytest

from .asking import Answering, connect
from .stand import Stand

FLOOD = 6 << 20


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-ctr"])
def test_new_keys_in_a_flood_both_ways_cost_no_byte(stand: Stand, cipher: str) -> None:
    data = os.urandom(FLOOD)
    options = ["-v", "-c", cipher, "-o", "RekeyLimit=1M"]

    done = stand.client.run(stand.user, "cat", stdin=data, options=options)

    assert done.stdout == data
    assert done.stderr.count(b"SSH2_MSG_NEWKEYS received") > 4


@pytest.mark.attack
async def test_a_packet_that_was_changed_on_its_way_ends_the_connection(stand: Stand) -> None:
    async with await connect(stand, Answering(lambda prompts: [])) as connection:
        process = await connection.create_process("cat", encoding=None)
        process.stdin.write(b"whole")
        assert await process.stdout.readexactly(5) == b"whole"
        transport: Any = connection._transport
        write = transport.write
        transport.write = lambda data: write(data[:-20] + bytes(20))

        process.stdin.write(b"changed")

        with pytest.raises(asyncssh.MACError):
            await process.stdout.read()


@pytest.mark.attack
async def test_more_than_the_window_lets_ends_the_connection(stand: Stand) -> None:
    async with await connect(stand, Answering(lambda prompts: [])) as connection:
        process = await connection.create_process("sleep 60", encoding=None)
        process.stdin.channel._send_window = 1 << 30

        process.stdin.write(bytes(16 << 20))

        await process.wait_closed()
        await connection.wait_closed()
        assert process.exit_status is None
