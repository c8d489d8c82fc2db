"""A client that reads nothing, promises everything, or sends what no client sends."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.support.waiting import eventually

from .stand import Stand

pytestmark = pytest.mark.attack


async def test_a_client_that_reads_nothing_under_a_huge_window_costs_bounded_memory(
    stand: Stand,
) -> None:
    size = 64 << 20
    async with stand.enter() as connection:
        process = await connection.create_process(
            f"echo up; head -c {size} /dev/zero", encoding=None, window=1 << 30
        )
        assert await process.stdout.readexactly(3) == b"up\n"
        transport = connection._transport
        assert transport is not None
        transport.pause_reading()
        session = await asyncio.to_thread(stand.session)
        driver = stand.broker.running.worker.sessions[session.id]
        wire = driver.operator._transport
        assert wire is not None
        held = lambda: driver.relays[1].output.valve._reasons  # noqa: E731
        await eventually(lambda: stand.broker.ask(held), what="back-pressure", within_s=20)
        await asyncio.sleep(0)
        waiting = stand.broker.ask(wire.get_write_buffer_size)
        assert waiting < 8 << 20
        transport.resume_reading()
        got = 0
        while data := await process.stdout.read(1 << 20):
            got += len(data)
        assert got == size


async def test_what_goes_wrong_inside_a_callback_is_in_the_log(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    process = await asyncio.to_thread(stand.popen, "echo up; cat")
    assert process.stdout and await asyncio.to_thread(process.stdout.readline) == b"up\n"
    session = await asyncio.to_thread(stand.session)
    driver = stand.broker.running.worker.sessions[session.id]

    def odd(*arguments: object) -> None:
        raise LookupError("an odd mistake")

    driver.relays[1].input.sent = odd  # type: ignore
    assert process.stdin
    process.stdin.write(b"x")
    process.stdin.flush()
    await asyncio.to_thread(process.wait, 10)

    await eventually(lambda: "an odd mistake" in caplog.text)
    assert (await asyncio.to_thread(stand.last)).ended_at
