"""Whatever packets a client sends, it ends its own connection and harms nobody: A08, A09."""

from __future__ import annotations

import asyncio
import logging
import random
import resource

import pytest

from tests.support.waiting import eventually

from .asking import Answering, connect, forgive
from .packets import number, pelt_after, pelt_before, string
from .stand import Stand

pytestmark = pytest.mark.attack


async def unharmed(stand: Stand) -> None:
    """The broker serves others, holds nothing of what was, and has not grown."""
    forgive(stand)
    worker = stand.broker.running.worker
    done = await asyncio.to_thread(stand.client.run, stand.user, "echo in")
    assert done.stdout == b"in\n"
    await eventually(lambda: stand.broker.ask(lambda: worker.doorway.waiting) == 0)
    await eventually(lambda: not stand.broker.ask(lambda: worker.sessions or worker.legs))


@pytest.mark.parametrize("seed", range(4))
async def test_changed_packets_before_the_login_harm_nobody(
    stand: Stand, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    chance = random.Random(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = len(stand.read(lambda store: store.audit.list(action="login.accept")))

    sent = sum(await asyncio.gather(*(pelt_before(stand, chance, 40) for _ in range(12))))

    assert sent >= 12
    assert len(stand.read(lambda store: store.audit.list(action="login.accept"))) == accepted
    assert not stand.sessions()
    await unharmed(stand)
    assert not [entry for entry in caplog.records if entry.exc_info], "strangers fill the log"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB


@pytest.mark.parametrize("seed", range(4))
async def test_changed_packets_of_somebody_who_is_in_harm_nobody_else(
    stand: Stand, seed: int
) -> None:
    chance = random.Random(1000 + seed)

    sent = sum(await asyncio.gather(*(pelt_after(stand, chance, 40) for _ in range(8))))

    assert sent >= 8
    await unharmed(stand)


async def test_channels_of_no_window_and_no_packet_size_harm_nobody(stand: Stand) -> None:
    async with await connect(stand, Answering(lambda prompts: [])) as connection:
        for window, size in ((0, 0), (0, 1), (1, 0), (0xFFFFFFFF, 0xFFFFFFFF), (1 << 31, 1)):
            opening = string(b"session") + number(7) + number(window) + number(size)
            connection.send_packet(90, opening)
            connection.send_packet(98, number(0) + string(b"exec") + b"\1" + string(b"yes"))
        await asyncio.sleep(0)
        connection.abort()
    await unharmed(stand)


@pytest.mark.parametrize("channel", [1, 7, 0x7FFFFFFF, 0xFFFFFFFF])
async def test_a_channel_number_that_is_not_open_ends_the_connection(
    stand: Stand, channel: int
) -> None:
    connection = await connect(stand, Answering(lambda prompts: []))
    connection.send_packet(94, number(channel) + string(b"x"))

    async with asyncio.timeout(10):
        await connection.wait_closed()
    await unharmed(stand)


async def test_a_connection_has_ten_channels_at_once_and_may_come_and_go(stand: Stand) -> None:
    async with await connect(stand, Answering(lambda prompts: [])) as connection:
        held = [await connection.create_process("cat") for _ in range(10)]
        refused = await connection.run("echo in")
        assert refused.stdout == "" and "that is the limit" in str(refused.stderr)
        for process in held:
            process.stdin.write_eof()
            await process.wait()
        for _ in range(12):
            assert (await connection.run("echo in")).stdout == "in\n"
    await unharmed(stand)
