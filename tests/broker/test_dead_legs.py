"""A leg that dies: told at once when the kernel says so, noticed by keepalives when nobody does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
import pytest

from psm_console.broker.ssh import algorithms
from psm_console.domain.session import LIVE_STATES, Session
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_hostile_target import evil_target

pytestmark = pytest.mark.fault

_NOTICED_S = 20.0
"""How long a leg may be dead without a word before it is noticed."""
_TOLD_S = 5.0
"""The promise is two seconds; the rest is for a busy machine."""


def of(stand: Stand, session: Session) -> Session:
    """The session as the store has it now."""
    return next(one for one in stand.sessions(live_only=False) if one.id == session.id)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Inside the block the process neither reads nor writes, and its sockets stay open."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_silent_leg_is_noticed_by_keepalives_on_either_side(stand: Stand) -> None:
    """A target and an operator's client that are stopped, each in a session of its own."""
    assert algorithms.KEEPALIVE_S * (algorithms.KEEPALIVES + 1) < _NOTICED_S

    with stand.client.terminal(stand.user, "echo ready; cat") as told:
        told.wait_for("ready")
        silent_target = stand.session()
        with stand.sshd.frozen():
            client = stand.popen("echo ready; cat")
            assert client.stdout is not None and client.stdout.readline() == b"ready\n"
            silent_client = stand.session()
            assert silent_client.id != silent_target.id
            with stopped(client.pid):
                began = time.monotonic()
                told.wait_for("the target", within_s=_NOTICED_S)
                assert told.wait_exit(5) == 254
                eventually_sync(
                    lambda: of(stand, silent_client).state not in LIVE_STATES,
                    within_s=max(_NOTICED_S - (time.monotonic() - began), 0.1),
                    what="the end of the session whose client is stopped",
                )

    assert of(stand, silent_target).end_reason == "the target's connection broke"
    assert "the target's connection broke" in stand.recorded(silent_target)
    assert of(stand, silent_client).end_reason == "the operator's connection broke"


def test_a_target_whose_server_is_killed_is_told_at_once(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()
        stand.sshd.stop()
        try:
            tty.wait_for("the target", within_s=_TOLD_S)
            assert tty.wait_exit(5) == 254
        finally:
            stand.sshd.start()

    stand.tidy()
    reason = of(stand, session).end_reason
    assert reason is not None and "the target" in reason
    assert reason in stand.recorded(session)


async def test_a_target_that_resets_its_connection_is_told_at_once(stand: Stand) -> None:
    channels: list[asyncssh.SSHServerChannel[bytes]] = []

    def up(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channels.append(channel)
        channel.write(b"up\n")

    async with evil_target(stand, up):
        client = stand.popen("x")
        assert client.stdout is not None and client.stderr is not None
        assert await asyncio.to_thread(client.stdout.readline) == b"up\n"
        session = await asyncio.to_thread(stand.session)
        connection = channels[0].get_connection()
        raw = connection.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.abort()
        async with asyncio.timeout(_TOLD_S):
            said = await asyncio.to_thread(client.stderr.read)
        ended = await asyncio.to_thread(stand.last)

    assert b"the target" in said
    assert ended.id == session.id and "the target" in str(ended.end_reason)
