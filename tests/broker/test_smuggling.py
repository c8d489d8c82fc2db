"""What a client can send beside the data, and that it is in the recording before the target."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh
import pytest

from psm_console.domain.session import Outcome, Verb
from tests.support.waiting import eventually

from .stand import Stand

pytestmark = pytest.mark.attack


@asynccontextmanager
async def connected(stand: Stand) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A client that can be made to misbehave."""
    async with stand.enter() as connection:
        yield connection


def test_a_variable_that_reaches_the_target_is_in_the_recording(stand: Stand) -> None:
    """`sh -c "$LC_X"` runs what no command line and no keystroke ever showed."""
    options = ["-o", 'SetEnv="LC_X=echo smuggled$((6*7))"']

    through = stand.client.run(stand.user, 'eval "$LC_X"', options=options)

    assert through.stdout == b"smuggled42\n"
    assert "LC_X=echo smuggled$((6*7))" in stand.recorded(stand.last())


async def test_hostile_names_and_floods_of_variables_do_not_pass(stand: Stand) -> None:
    environment = {f"LC_{n}": "x" for n in range(500)} | {"LC_A\nB": "x", "LC_" + "y" * 5000: "x"}
    async with connected(stand) as connection:
        result = await connection.run("env", env=environment)

    passed = [line for line in str(result.stdout).splitlines() if line.startswith("LC_")]
    assert 0 < len(passed) <= 64
    assert "B=x" not in str(result.stdout)


async def test_a_signal_that_reaches_the_target_is_in_the_recording(stand: Stand) -> None:
    async with connected(stand) as connection:
        process = await connection.create_process("trap 'echo got' USR1; echo up; read x; read x")
        await process.stdout.readline()
        process.send_signal("USR1")
        await eventually(lambda: "signal USR1" in stand.recorded(stand.session()))


async def test_a_terminal_asked_for_after_the_start_changes_nothing(stand: Stand) -> None:
    async with connected(stand) as connection:
        process = await connection.create_process("cat", encoding=None)
        channel = process.channel
        terminal = (b"xterm", 80, 24, 0, 0, b"\0")
        made = await channel._make_request(
            b"pty-req",
            asyncssh.packet.String(terminal[0]),
            *(asyncssh.packet.UInt32(n) for n in (80, 24, 0, 0)),
            asyncssh.packet.String(terminal[5]),
        )
        channel.change_terminal_size(99, 33)
        process.stdin.write(b"x")
        assert await process.stdout.read(1) == b"x"
        session = await asyncio.to_thread(stand.session)
        answer = await asyncio.to_thread(stand.order, session, Verb.PAUSE)

        assert not made
        assert answer.outcome is Outcome.DONE
        driver = stand.broker.running.worker.sessions[session.id]
        assert not driver.relays[1].channel.pty
        process.stdin.write(b"held")
        await asyncio.to_thread(stand.order, session, Verb.RESUME)
        assert await process.stdout.readexactly(4) == b"held"


async def test_channels_that_ask_for_nothing_are_capped(stand: Stand) -> None:
    async with connected(stand) as connection:
        opened = 0
        for _ in range(40):
            channel = asyncssh.channel.SSHClientChannel(
                connection, connection._loop, "strict", None, "strict", 1 << 20, 1 << 15
            )
            try:
                await channel._open(b"session")
                opened += 1
            except asyncssh.ChannelOpenError as error:
                assert "limit" in error.reason
                break
        assert 10 <= opened < 20


async def test_variables_without_end_are_not_collected(stand: Stand) -> None:
    async with connected(stand) as connection:
        process = await connection.create_process(
            "cat", env={f"X{n}": "v" * 100 for n in range(2000)}, encoding=None
        )
        process.stdin.write(b"x")
        assert await process.stdout.read(1) == b"x"
        session = await asyncio.to_thread(stand.session)
        relay = stand.broker.running.worker.sessions[session.id].relays[1]
        assert (
            relay.channel.operator is not None
            and len(relay.channel.operator.get_environment_bytes()) <= 256
        )


async def test_an_agent_and_x11_are_refused_and_audited(stand: Stand) -> None:
    async with connected(stand) as connection:
        process = await connection.create_process("cat", encoding=None)
        channel = process.channel
        agent = await channel._make_request(b"auth-agent-req@openssh.com")
        x11 = await channel._make_request(
            b"x11-req",
            b"\0",
            asyncssh.packet.String("MIT-MAGIC-COOKIE-1"),
            asyncssh.packet.String("00" * 16),
            asyncssh.packet.UInt32(0),
        )
        assert not agent and not x11

    def told() -> set[str]:
        found = stand.read(lambda store: store.audit.list(action="channel.refuse"))
        return {str(entry.detail).partition(" asked")[0] for entry in found}

    await eventually(lambda: told() >= {"agent forwarding", "X11 forwarding"})


def test_a_client_that_exchanges_keys_all_the_time_gets_every_byte(stand: Stand) -> None:
    size = 12 << 20
    through = stand.client.run(
        stand.user, f"head -c {size} /dev/zero", options=["-o", "RekeyLimit=1M"]
    )
    assert len(through.stdout) == size and through.returncode == 0
    upward = stand.client.run(
        stand.user, "wc -c", stdin=b"x" * size, options=["-o", "RekeyLimit=1M"]
    )
    assert upward.stdout.strip() == str(size).encode()


SIZES = """
import os, signal
def say(*_):
    size = os.get_terminal_size()
    os.write(1, b"%d %d\\n" % (size.lines, size.columns))
signal.signal(signal.SIGWINCH, say)
print("up", flush=True)
input()
"""


async def test_every_size_that_reaches_the_target_is_in_the_recording(stand: Stand) -> None:
    """A program that reads SIGWINCH takes 19 bits from each: typing that no one sees."""
    async with connected(stand) as connection, asyncio.timeout(60):
        process = await connection.create_process(
            shlex.join([sys.executable, "-c", SIZES]), term_type="xterm", term_size=(80, 24)
        )
        await process.stdout.readline()
        for n in range(400):
            process.channel.change_terminal_size(100 + n, 30)
            await asyncio.sleep(0.002)
        while "499" not in (line := await process.stdout.readline()):
            assert line
        process.stdin.write("\n")
        await process.wait_closed()
    session = await asyncio.to_thread(stand.last)
    text = stand.recorded(session)
    seen = {line.split()[1] for line in _printed(text) if line.startswith("30 ")}
    recorded = {f"{n}" for n in range(100, 500) if f'"{n}x30"' in text}
    assert "499" in seen and seen <= recorded


def _printed(cast: str) -> list[str]:
    events = [json.loads(line) for line in cast.splitlines()[1:] if line.startswith("[")]
    return "".join(event[2] for event in events if event[1] == "o").splitlines()
