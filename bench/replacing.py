"""Operators at work while their broker is replaced: some type, some come and go.

Each kind is asyncssh in a process of its own, which says when it works, is told to leave, and then
tells what it saw. What was typed is compared with what came back, byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import asyncssh

from .door import Door

KEYS = b"@#%&{}|~"
"""Typed round and round; nothing that the broker says to an operator holds one of them."""
KEY_S = 1.0
LOGINS_A_SECOND = 5
KNOCKS_A_SECOND = 20
"""Connections that only read the broker's greeting: what is refused for an instant is seen."""
_AT_ONCE = 6
_LAST_S = 10.0
"""How long the last key's echo may take, and a login or a greeting that is under way."""


@dataclass
class Seen:
    """What the operators of one process saw."""

    took: list[float] = field(default_factory=list)
    """Milliseconds: from a key to its echo, or of a whole login."""
    wrong: list[str] = field(default_factory=list)
    """Sessions dropped, connects refused or reset, echoes lost or doubled: a sentence each."""
    knocks: int = 0


class Operators:
    """A process of operators; `up` waits for it, `leave` ends it."""

    def __init__(self, work: Callable[..., None], *given: object) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._process = spawn.Process(target=work, args=(theirs, *given), daemon=True)
        self._process.start()
        theirs.close()

    def up(self, within_s: float) -> None:
        """Wait until they work."""
        assert self._line.poll(within_s) and self._line.recv() == "up", "the load does not come up"

    def leave(self) -> None:
        """Have them end what they do."""
        self._line.send("leave")

    def seen(self) -> Seen:
        """Return what they saw, once they have left."""
        assert self._line.poll(60), "the load does not end"
        found = self._line.recv()
        assert isinstance(found, Seen)
        self._process.join(10)
        return found


def type_in_terminals(line: Connection, door: Door, count: int) -> None:
    """Hold `count` terminals with `cat` behind them, and type a key a second into each."""
    asyncio.run(_type(line, door, count))


def come_and_go(line: Connection, door: Door) -> None:
    """Log in for a command again and again, and knock, until told to leave."""
    asyncio.run(_come_and_go(line, door))


async def _type(line: Connection, door: Door, count: int) -> None:
    seen, gate, told = Seen(), asyncio.Semaphore(_AT_ONCE), _told(line)
    async with contextlib.AsyncExitStack() as stack:

        async def open_one() -> _Terminal:
            async with gate:
                connection = await stack.enter_async_context(door.connect())
                terminal = _Terminal(seen)
                await connection.create_session(
                    lambda: terminal, "cat", term_type="xterm", encoding=None
                )
                return terminal

        terminals = await asyncio.gather(*(open_one() for _ in range(count)))
        line.send("up")
        typing = [asyncio.ensure_future(terminal.type(told)) for terminal in terminals]
        await asyncio.gather(*typing)
    line.send(seen)


class _Terminal(asyncssh.SSHClientSession[bytes]):
    """One session, and which of its keys have not come back yet."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._waiting: deque[tuple[int, float]] = deque()
        self._back = asyncio.Event()
        self._leaving = False
        self._dropped = False

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        for byte in data:
            if byte in KEYS:
                self._came(byte)

    def _came(self, byte: int) -> None:
        if not self._waiting or self._waiting[0][0] != byte:
            self._seen.wrong.append(f"{chr(byte)} came back that was not typed, or twice")
            return
        _, typed_at = self._waiting.popleft()
        self._seen.took.append((time.perf_counter() - typed_at) * 1000)
        self._back.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._dropped = True
        if not self._leaving:
            self._seen.wrong.append(f"a session was dropped: {exc or 'closed'}")

    async def type(self, told: asyncio.Event) -> None:
        """Type until told to leave, and wait for the last echo."""
        keys = itertools.cycle(KEYS)
        wait_s = random.random() * KEY_S
        while not self._dropped and not await _set_within(told, wait_s):
            key, wait_s = next(keys), KEY_S
            self._waiting.append((key, time.perf_counter()))
            with contextlib.suppress(BrokenPipeError):  # noticed as it is lost
                self._chan.write(bytes([key]))
        ends = time.monotonic() + _LAST_S
        while self._waiting and not self._dropped and time.monotonic() < ends:
            self._back.clear()
            await _set_within(self._back, ends - time.monotonic())
        if self._waiting and not self._dropped:
            self._seen.wrong.append(f"{len(self._waiting)} keys did not come back")
        self._leaving = True


async def _come_and_go(line: Connection, door: Door) -> None:
    seen, told = Seen(), _told(line)
    line.send("up")
    await asyncio.gather(
        _often(told, LOGINS_A_SECOND, lambda number: _log_in(door, number, seen)),
        _often(told, KNOCKS_A_SECOND, lambda number: _knock(door, seen)),
    )
    line.send(seen)


async def _often(
    told: asyncio.Event, a_second: int, act: Callable[[int], Coroutine[None, None, None]]
) -> None:
    """Begin `act` so often, whether the one before is over or not, and wait for all of them."""
    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            if await _set_within(told, 1 / a_second):
                return
            group.create_task(act(number))


async def _log_in(door: Door, number: int, seen: Seen) -> None:
    """Log in, run a command, and compare what it says."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(60), door.connect() as connection:
            done = await connection.run(f"echo {number}; exit 3", encoding="ascii")
        if done.stdout != f"{number}\n" or done.exit_status != 3:
            seen.wrong.append(f"a command said {done.stdout!r}, status {done.exit_status}")
    except (asyncssh.Error, OSError, TimeoutError) as error:
        seen.wrong.append(f"a login failed: {type(error).__name__}: {error}")
    seen.took.append((time.perf_counter() - began) * 1000)


async def _knock(door: Door, seen: Seen) -> None:
    """Connect, read the broker's greeting, and go."""
    seen.knocks += 1
    try:
        async with asyncio.timeout(_LAST_S):
            reader, writer = await asyncio.open_connection(door.host, door.port)
            said = await reader.read(64)
            writer.close()
        if not said.startswith(b"SSH-2.0-"):
            seen.wrong.append(f"a connection was greeted with {said!r}")
    except (OSError, TimeoutError) as error:
        seen.wrong.append(f"a connection was refused or reset: {type(error).__name__}: {error}")


def _told(line: Connection) -> asyncio.Event:
    """Return what is set once this process is told to leave."""
    told = asyncio.Event()

    def read() -> None:
        asyncio.get_running_loop().remove_reader(line.fileno())
        line.recv()
        told.set()

    asyncio.get_running_loop().add_reader(line.fileno(), read)
    return told


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for `event`; whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await event.wait()
    return event.is_set()
