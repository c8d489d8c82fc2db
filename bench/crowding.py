"""Many sessions at work, made cheaply: a target that prints, and operators who type.

Each is a process of its own with a wheel of time slots in place of a task for each session, and
with the broker's own short way for packets. What a process says of itself (its lag, its processor
time) tells whether it was the limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import asyncssh

from psm_console.broker.descriptors import raise_limit
from psm_console.broker.ssh.packet_path import PacketPath, shorten

from .door import Door

KEY = b">"
"""What an operator types; nothing else holds it."""
_LINE = b"drwxr-xr-x  2 root root  4096 Nov 22 04:23 \x1b[01;34mservice\x1b[0m and what follows it "
PRINTED = (_LINE * 3)[:198] + b"\r\n"
PRINT_S = 0.25
KEY_S = 1.0
_SLOT_S = 0.005
_PROBE_S = 0.01
_AT_ONCE = 8


@dataclass
class Told:
    """What a process says of a while: its own lag and processor time, and echoes it saw."""

    lags: list[float] = field(default_factory=list)
    """Milliseconds that it came too late to a moment."""
    echoes: list[float] = field(default_factory=list)
    """Milliseconds from a key to its echo."""
    cpu_s: float = 0.0
    lost: int = 0
    """Sessions that ended by themselves, so far."""


class Child:
    """A process that answers one question after the other."""

    def __init__(self, work: Callable[..., None], *given: object, cores: Iterable[int]) -> None:
        """Run `work(line, cores, *given)` there."""
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        arguments = (theirs, tuple(cores), *given)
        self._process = spawn.Process(target=work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, *question: object, within_s: float = 600.0) -> Any:
        """Return its answer."""
        self._line.send(question)
        assert self._line.poll(within_s), f"no answer to {question}"
        return self._line.recv()

    def close(self) -> None:
        """End it, and all its sessions."""
        self._line.close()
        self._process.join(30)
        self._process.kill()


def be_target(line: Connection, cores: tuple[int, ...], host_key: str, client_key: str) -> None:
    """Be a target whose only program prints 200 bytes four times a second, and echoes.

    `("port",)` is answered with its port; `("quiet", PART)` has that part of the programs
    print nothing.
    """
    asyncio.run(_be_target(line, cores, host_key, client_key))


def be_operators(line: Connection, cores: tuple[int, ...], door: Door) -> None:
    """Be operators who type a key a second. `("open", N)` is answered once N sessions are live."""
    asyncio.run(_be_operators(line, cores, door))


class _Wheel:
    """Has each of many do something once in a while, evenly spread over it."""

    def __init__(self, round_s: float) -> None:
        self._round_s = round_s
        self._slots: list[list[Callable[[], None]]] = [[] for _ in range(round(round_s / _SLOT_S))]
        self._added = 0

    def add(self, act: Callable[[], None]) -> None:
        # Neighbours in time are not neighbours in the wheel.
        self._slots[self._added * 7 % len(self._slots)].append(act)
        self._added += 1

    async def turn(self) -> None:
        """Turn for ever; what came too late is caught up."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for slot in itertools.cycle(self._slots):
            for act in slot:
                act()
            due += self._round_s / len(self._slots)
            if (wait_s := due - loop.time()) > 0:
                await asyncio.sleep(wait_s)


class _Probe:
    """Notes how late this process comes to what it wanted to do."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _PROBE_S
            await asyncio.sleep(_PROBE_S)
            self.lags.append((loop.time() - due) * 1000)


class _ServerPath(PacketPath, asyncssh.SSHServerConnection):
    """The target's connection."""


class _Server(asyncssh.SSHServer):
    def __init__(self, wheel: _Wheel) -> None:
        self._wheel = wheel

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        # The same object with other methods, as `shorten` does it for clients.
        connection = self._connection
        connection.__class__ = _ServerPath
        assert isinstance(connection, _ServerPath)
        connection.prepare()
        transport = connection._transport
        assert isinstance(transport, asyncio.Transport)
        transport.set_protocol(connection)
        return _Program(self._wheel)


class _Program(asyncssh.SSHServerSession[bytes]):
    """What runs on the target."""

    def __init__(self, wheel: _Wheel) -> None:
        self._wheel = wheel
        self._over = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def pty_requested(self, *_: object) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        if command == "print":
            self._wheel.add(self._print)
        return True

    def _print(self) -> None:
        if not self._over:
            self._chan.write(PRINTED)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._chan.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True


class _Terminal(asyncssh.SSHClientSession[bytes]):
    """An operator's terminal."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._typed_at = 0.0
        self._over = False

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._chan = chan

    def type(self) -> None:
        if not self._over and not self._typed_at:
            self._typed_at = time.perf_counter()
            self._chan.write(KEY)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._typed_at and KEY in data:
            self._told.echoes.append((time.perf_counter() - self._typed_at) * 1000)
            self._typed_at = 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._told.lost += 1


async def _be_target(
    line: Connection, cores: tuple[int, ...], host_key: str, client_key: str
) -> None:
    keys = asyncssh.import_authorized_keys(
        asyncssh.read_public_key(f"{client_key}.pub").export_public_key().decode()
    )
    wheel = _Wheel(PRINT_S)
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        backlog=1000,
        server_factory=lambda: _Server(wheel),
        server_host_keys=[host_key],
        authorized_client_keys=keys,
        encoding=None,
        line_editor=False,
        encryption_algs=["aes128-gcm@openssh.com"],
        kex_algs=["curve25519-sha256"],
        config=None,
    )
    async with server:
        await _answer(line, cores, wheel, Told(), {"port": lambda: _port(server)})


async def _port(server: asyncssh.SSHAcceptor) -> int:
    return server.get_port()


async def _be_operators(line: Connection, cores: tuple[int, ...], door: Door) -> None:
    told, wheel, gate = Told(), _Wheel(KEY_S), asyncio.Semaphore(_AT_ONCE)
    key = asyncssh.read_private_key(door.key)
    held: list[asyncssh.SSHClientConnection] = []

    async def one(command: str) -> None:
        async with gate:
            connection = await door.connect(
                client_keys=[key], kex_algs=["curve25519-sha256"], login_timeout=120
            )
            held.append(connection)
            shorten(connection)
            terminal = _Terminal(told)
            await connection.create_session(
                lambda: terminal, command, term_type="xterm-256color", encoding=None
            )
            if command == "print":
                wheel.add(terminal.type)

    async def open_all(count: int, command: str) -> int:
        async with asyncio.TaskGroup() as group:
            for _ in range(count - len(held)):
                group.create_task(one(command))
        return len(held)

    await _answer(line, cores, wheel, told, {"open": open_all})


async def _answer(
    line: Connection,
    cores: tuple[int, ...],
    wheel: _Wheel,
    told: Told,
    acts: dict[str, Callable[..., Any]],
) -> None:
    """Answer questions until nobody can ask any more: `acts`, `begin` a while, `end` it."""
    os.sched_setaffinity(0, cores)
    raise_limit()
    loop, probe = asyncio.get_running_loop(), _Probe()
    asked: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    def read() -> None:
        try:
            asked.put_nowait(line.recv())
        except (EOFError, OSError):
            loop.remove_reader(line.fileno())
            asked.put_nowait(())

    loop.add_reader(line.fileno(), read)
    beside = [asyncio.ensure_future(work) for work in (wheel.turn(), probe.run())]
    began = 0.0
    while question := await asked.get():
        name, *given = question
        if name == "begin":
            began = time.process_time()
            told.echoes, probe.lags = [], []
            line.send(None)
        elif name == "end":
            used = time.process_time() - began
            line.send(Told(probe.lags, told.echoes, used, told.lost))
        else:
            line.send(await acts[name](*given))
    for task in beside:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*beside)
    os._exit(0)  # thousands of connections take long to part
