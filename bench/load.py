"""Many sessions on one worker: memory, processor time, and how soon orders take effect.

    python -m bench.load [SESSIONS]

A session is a terminal with `cat` behind it. Idle they are weighed, and paused and terminated at
random; busy, each sends four lines of 100 bytes a second and gets them twice: 4 × 200 bytes out.
The echo is one more session's, through a real ssh. CPU and memory are the worker's alone:
the bytes that are no other process's (`bench.memory`).
"""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime

from psm_console.broker.entry.moment import new_id
from psm_console.domain.names import DirectiveId
from psm_console.domain.session import Directive, Outcome, Session, Verb
from psm_console.store import Home, Store
from tests.support.openssh import environment

from .echo import echo, typing
from .figures import spread
from .lanes import Lanes, cpu_s, lanes
from .memory import CONFIG, Terminal, open_terminals, private

_LINE = b"y" * 99 + b"\n"
_BUSY_S = 20.0
_ORDERS = 60
_KEYS = 400
_STRANGERS = 1000
_ANSWERED = frozenset({Outcome.DONE, Outcome.REFUSED, Outcome.FAILED})
_Key = Callable[[], float]


def main(sessions: int = 300) -> None:
    """Print a line for each figure."""
    with ExitStack() as stack:
        way = stack.enter_context(lanes(config=CONFIG))
        process = stack.enter_context(typing(way, "broker"))
        asyncio.run(_load(way, sessions, lambda: echo(process, b"x")))
    with ExitStack() as stack:
        way = stack.enter_context(lanes(workers=2))
        process = stack.enter_context(typing(way, "broker"))
        _beside_bulk(way, lambda: echo(process, b"x"))


async def _load(way: Lanes, count: int, key: _Key) -> None:
    (pid,) = way.workers()
    await _echoes("echo, nothing else", key)
    before = private(pid)
    async with AsyncExitStack() as stack:
        terminals = await open_terminals(way.broker, stack, count)
        await asyncio.sleep(2)
        grown = private(pid) - before
        print(f"{count} idle sessions: {grown / count / 1024:.1f} KiB each", flush=True)
        await _busy(pid, terminals, key)
        await asyncio.to_thread(_orders, Home(way.broker.home))
    for _ in range(3):
        async with AsyncExitStack() as stack:
            await open_terminals(way.broker, stack, count)
        await asyncio.sleep(2)
        print(f"after {count} more came and went: {private(pid) / 2**20:.1f} MiB", flush=True)
    await _strangers(way, pid)


async def _busy(pid: int, terminals: list[Terminal], key: _Key) -> None:
    async def work(terminal: Terminal) -> None:
        await asyncio.sleep(random.random() / 4)
        while True:
            terminal.stdin.write(_LINE)
            await terminal.stdout.readuntil(b"y\r\n")
            await terminal.stdout.readuntil(b"y\r\n")
            await asyncio.sleep(0.25)

    at_work = [asyncio.create_task(work(terminal)) for terminal in terminals]
    await asyncio.sleep(2)
    before, began = cpu_s(pid), time.monotonic()
    await _echoes(f"echo beside {len(terminals)} busy sessions", key, _BUSY_S)
    used = (cpu_s(pid) - before) / (time.monotonic() - began)
    each = used / len(terminals) * 1e3
    print(f"{len(terminals)} busy sessions: {used:.0%} of a core, {each:.2f} ms a second each")
    for task in at_work:
        task.cancel()
    await asyncio.gather(*at_work, return_exceptions=True)


async def _echoes(what: str, key: _Key, seconds: float = 0.0) -> None:
    """Type for so long, or so many keys, and say how long each took to come back."""
    took: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or (not seconds and len(took) < _KEYS):
        took.append(await asyncio.to_thread(key))
        await asyncio.sleep(0.01)
    print(spread(what, took), flush=True)


def _orders(home: Home) -> None:
    """Pause and terminate sessions at random: until the broker has acknowledged it."""
    with Store.open(home) as store:
        for verb in (Verb.PAUSE, Verb.TERMINATE):
            live = store.sessions.list(live_only=True)
            took = [_order(store, session, verb) for session in random.sample(live[1:], _ORDERS)]
            print(spread(f"{verb}, {len(live)} live sessions", took), flush=True)


def _order(store: Store, session: Session, verb: Verb) -> float:
    """Give an order; return milliseconds until its answer stands in the store."""
    now = datetime.now(UTC)
    order = Directive(DirectiveId(new_id()), session.id, verb, "sue", now, reason="bench")
    began = time.perf_counter()
    with store.transaction():
        store.directives.add(order)
    while store.directives.get(order.id).outcome not in _ANSWERED:
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000


async def _strangers(way: Lanes, pid: int) -> None:
    """Have many connect who never log in, as far as the broker takes them."""
    await _login(way, "a login, nobody else")
    before, strangers = private(pid), []
    for _ in range(_STRANGERS):
        there = (way.broker.host, way.broker.port)
        one = socket.create_connection(there, source_address=("127.0.0.2", 0))
        one.sendall(b"SSH-2.0-nobody\r\n")
        strangers.append(one)
    await asyncio.sleep(1)
    grown = (private(pid) - before) / 2**20
    print(f"{_STRANGERS} peers that do not log in: {grown:.1f} MiB in all")
    await _login(way, "a login beside them")
    for one in strangers:
        one.close()


async def _login(way: Lanes, what: str) -> None:
    took = []
    for _ in range(10):
        async with AsyncExitStack() as stack:
            began = time.perf_counter()
            await open_terminals(way.broker, stack, 1)
            took.append((time.perf_counter() - began) * 1000)
    print(spread(what, took), flush=True)


def _beside_bulk(way: Lanes, key: _Key) -> None:
    """Type in one worker while a bulk transfer keeps the other busy."""
    asyncio.run(_echoes("two workers: echo", key))
    alone = [*way.ssh("broker", "-o", "ControlPath=none", "cat /dev/zero")]
    with subprocess.Popen(alone, stdout=subprocess.DEVNULL, env=environment()) as bulk:
        time.sleep(2)
        asyncio.run(_echoes("two workers: echo beside a bulk transfer", key))
        bulk.kill()
    direct = [*way.ssh("direct", "-o", "ControlPath=none", "cat /dev/zero")]
    with subprocess.Popen(direct, stdout=subprocess.DEVNULL, env=environment()) as bulk:
        time.sleep(2)
        asyncio.run(_echoes("… with that transfer past the broker", key))
        bulk.kill()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
