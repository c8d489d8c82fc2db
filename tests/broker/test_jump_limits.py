"""What an inner connection may cost, idle or in a flood."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import asyncssh
import pytest

from psm_console.broker.ssh import algorithms
from psm_console.domain.session import Outcome, SessionState, Verb
from tests.support.waiting import eventually

from .jumper import Jumper
from .stand import Stand


@pytest.mark.attack
async def test_an_inner_connection_that_logs_nobody_in_is_dropped_and_leaves_the_outer_one(
    stand: Stand, jumper: Jumper, monkeypatch: pytest.MonkeyPatch
) -> None:
    doorway = stand.broker.running.worker.doorway
    async with await jumper.outer() as outer:
        await eventually(lambda: doorway.waiting == 0)
        monkeypatch.setattr(algorithms, "LOGIN_TIMEOUT_S", 1.0)
        reader, _ = await outer.open_connection("db1", 22)
        assert (await reader.readline()).startswith(b"SSH-2.0-")
        assert doorway.waiting == 1, "who logs in inside stands in the doorway too"
        async with asyncio.timeout(15):
            await reader.read()  # to its end
        await eventually(lambda: doorway.waiting == 0)
        async with await jumper.inner(outer) as inner:
            assert (await inner.run("echo in")).stdout == "in\n"


@pytest.mark.attack
async def test_inner_connections_are_capped_and_their_end_makes_room(
    stand: Stand, jumper: Jumper
) -> None:
    most = stand.broker.running.worker.policy.limits.channels
    async with await jumper.outer() as outer:
        opened = await asyncio.gather(
            *(outer.open_connection("db1", 22) for _ in range(most + 5)), return_exceptions=True
        )
        good = [one for one in opened if not isinstance(one, BaseException)]
        refused = [one for one in opened if isinstance(one, asyncssh.ChannelOpenError)]
        assert (len(good), len(refused)) == (most, 5)
        assert "that is the limit" in refused[0].reason
        for reader, writer in good:
            writer.close()
            await reader.read()
        reader, writer = await outer.open_connection("db1", 22)
        assert (await reader.readline()).startswith(b"SSH-2.0-")


@pytest.mark.attack
@pytest.mark.fault
@pytest.mark.parametrize("window", [2 << 20, 1 << 30])
async def test_a_flood_inside_for_a_client_that_does_not_read_costs_bounded_memory(
    stand: Stand, jumper: Jumper, window: int
) -> None:
    """`window` is what the client promises to take of the channel that carries the inner one."""
    size = 48 << 20
    async with await jumper.outer() as outer, await jumper.inner(outer, window=window) as inner:
        process = await inner.create_process(
            f"echo up; head -c {size} /dev/zero", encoding=None, window=1 << 30
        )
        assert await process.stdout.readexactly(3) == b"up\n"
        wire = outer._transport
        assert wire is not None
        wire.pause_reading()
        session = await asyncio.to_thread(stand.session)
        driver = stand.broker.running.worker.sessions[session.id]
        held = lambda: driver.relays[1].output.valve._reasons  # noqa: E731
        await eventually(lambda: stand.broker.ask(held), what="back-pressure", within_s=20)

        waiting = await asyncio.to_thread(stand.broker.ask, lambda: _waiting(driver.operator))

        assert waiting < 8 << 20
        wire.resume_reading()
        got = 0
        while data := await process.stdout.read(1 << 20):
            got += len(data)
        assert got == size


def _waiting(inner: asyncssh.SSHServerConnection) -> int:
    """Bytes that wait in the inner connection's channels, its wire and the outer one's."""
    channel = inner._transport
    assert channel is not None
    outer = channel.get_extra_info("connection")._transport
    assert outer is not None
    own = sum(one._send_buf_len for one in inner._channels.values())
    return own + channel.get_write_buffer_size() + int(outer.get_write_buffer_size())


@pytest.mark.attack
def test_a_flood_inside_is_ended_at_once_though_the_client_is_stopped(
    stand: Stand, jumper: Jumper
) -> None:
    process = jumper.popen(jumper.at, "yes flood")
    assert process.stdout and process.stdout.readline() == b"flood\n"
    session = stand.session()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    stopped = [process.pid, *map(int, children)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        directive = stand.order(session, Verb.TERMINATE, reason="stop")
        assert directive.outcome is Outcome.DONE
        ended = stand.last()
        assert ended.id == session.id and ended.state is SessionState.ENDED
        steps = {step.name: step for step in directive.receipt.steps}
        assert not any(step.failed for step in steps.values())
        assert {"operator leg closed", "target leg closed", "recording sealed"} <= set(steps)
        recorded = stand.recorded(session)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    process.communicate(timeout=20)
    assert stand.recorded(session) == recorded, "nothing was recorded, nor forwarded, any more"
