"""Sessions that come and go through a broker: a target that prints, and operators who type.

Both are asyncssh in this process, so that hundreds fit on a small machine; the broker between
them is the real one, in processes of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncssh

from .door import Door

TICK_S = 0.25
PRINTED = b"." * 199 + b"\n"
KEY = b">"
"""What an operator types; nothing else holds it."""
KEY_S = 1.0
LONGEST_S = 90.0
"""A session lasts half of this to all of it; then another takes its place."""
_AT_ONCE = 6
"""Logins at the same time."""


async def _work(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Print 200 bytes four times a second, and give back what is typed."""

    async def echo() -> None:
        while True:
            try:
                data = await process.stdin.read(1024)
            except asyncssh.TerminalSizeChanged:
                continue
            except (asyncssh.Error, OSError):
                return
            if not data:
                return
            process.stdout.write(data)

    echoing = asyncio.ensure_future(echo())
    while not echoing.done():
        process.stdout.write(PRINTED)
        await asyncio.wait({echoing}, timeout=TICK_S)
    process.exit(0)


@contextlib.asynccontextmanager
async def target(host_key: asyncssh.SSHKey, operator: asyncssh.SSHKey) -> AsyncIterator[int]:
    """Yield the port of a target whose only program prints and echoes."""
    keys = asyncssh.import_authorized_keys(operator.export_public_key().decode())
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        authorized_client_keys=keys,
        process_factory=_work,
        encoding=None,
        line_editor=False,
        encryption_algs=["aes128-gcm@openssh.com"],
        config=None,
    )
    async with server:
        yield server.get_port()


@dataclass
class Crowd:
    """`count` operators at work; each that leaves is followed by another."""

    door: Door
    key: asyncssh.SSHKey
    """The door's, read once."""
    count: int
    live: int = 0
    sessions: int = 0
    echoes: list[float] = field(default_factory=list)
    """Milliseconds from a key to its echo, since they were last taken."""
    failures: list[str] = field(default_factory=list)

    def take(self) -> list[float]:
        """Return the echoes so far, and begin anew."""
        taken, self.echoes = self.echoes, []
        return taken

    async def work(self, stop: asyncio.Event) -> None:
        """Keep `count` sessions going until `stop` is set."""
        room = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for number in range(self.count):
                group.create_task(self._place(random.Random(number), room, stop))

    async def _place(
        self, chosen: random.Random, room: asyncio.Semaphore, stop: asyncio.Event
    ) -> None:
        while not stop.is_set():
            try:
                await self._session(chosen, room, stop)
            except (asyncssh.Error, OSError, TimeoutError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                await asyncio.sleep(1.0)

    async def _session(
        self, chosen: random.Random, room: asyncio.Semaphore, stop: asyncio.Event
    ) -> None:
        async with room:
            connection = await self.door.connect(client_keys=[self.key])
        async with connection:
            process = await connection.create_process(term_type="xterm", encoding=None)
            self.live, self.sessions = self.live + 1, self.sessions + 1
            try:
                ends = time.monotonic() + chosen.uniform(LONGEST_S / 2, LONGEST_S)
                while not stop.is_set() and time.monotonic() < ends:
                    await self._key(process)
                    await asyncio.sleep(chosen.uniform(0.5, 1.5) * KEY_S)
            finally:
                self.live -= 1

    async def _key(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        began = time.perf_counter()
        process.stdin.write(KEY)
        async with asyncio.timeout(30):
            while KEY not in (said := await process.stdout.read(1 << 16)):
                if not said:
                    raise ConnectionResetError("the session ended by itself")
        self.echoes.append((time.perf_counter() - began) * 1000)
