"""Memory of the worker that relays: a session's, and what sessions leave behind.

    python -m bench.memory [SESSIONS]          idle terminals with `cat` behind them: KiB each
    python -m bench.memory churn [CONNECTS]    connect, run a command, close, eight at once

Bytes are those of `Private_Clean` and `Private_Dirty` in smaps_rollup(5): pages that are the
worker's alone. RSS would count pages of libraries with it; a proportional share would change with
what other processes do.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import asyncssh

from tests.support.broker import Broker

from .door import CROWDED, Door
from .lanes import Lanes, lanes

_AT_ONCE = 8
_FIRST = 50
"""Sessions that are open before anything is measured: what is made once is made by then."""
_SETTLED_S = 8.0
"""What a closed session leaves to timers is gone after this."""
_REPORTS = 10
_PRIVATE = ("Private_Clean:", "Private_Dirty:")


def main(sessions: int = 300) -> None:
    """Open `sessions` terminals and as many again; print what one of each lot takes."""
    with lanes(config=CROWDED) as way:
        asyncio.run(_slope(way, sessions))


def churn(connects: int = 10_000) -> None:
    """Have so many connections come and go; print the worker's memory ten times on the way."""
    with lanes(config=CROWDED) as way:
        asyncio.run(_churn(way, connects))


async def _slope(way: Lanes, count: int) -> None:
    (pid,) = way.workers()
    async with AsyncExitStack() as stack:
        await open_terminals(way.broker, stack, _FIRST)
        before = await _settled(pid)
        for lot in ("first", "next"):
            await open_terminals(way.broker, stack, count)
            now = await _settled(pid)
            each = (now - before) / count / 1024
            print(f"the {lot} {count} idle sessions: {each:.1f} KiB each", flush=True)
            before = now


async def _churn(way: Lanes, connects: int) -> None:
    (pid,), left, failures = way.workers(), connects, 0

    async def come_and_go(until: int) -> None:
        nonlocal left, failures
        while left > until:
            left -= 1
            try:
                async with await door(way.broker).connect() as connection:
                    await connection.run("true", check=True)
            except (asyncssh.Error, OSError) as error:
                failures += 1
                print(f"{type(error).__name__}: {error}", flush=True)

    for part in range(_REPORTS):
        began = time.monotonic()
        until = connects - connects * (part + 1) // _REPORTS
        count = left - until
        await asyncio.gather(*(come_and_go(until) for _ in range(_AT_ONCE)))
        took = time.monotonic() - began
        size = await _settled(pid)
        print(
            f"after {connects - left:6} connects: {size / 2**20:.1f} MiB, "
            f"{_descriptors(pid)} descriptors, {failures} failed, "
            f"{count / took:.0f} connects a second",
            flush=True,
        )


async def open_terminals(broker: Broker, stack: AsyncExitStack, count: int) -> None:
    """Open so many terminals, each of a connection of its own, for as long as `stack` is."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one() -> None:
        async with gate:
            connection = await stack.enter_async_context(await door(broker).connect())
            await connection.create_process("cat", term_type="xterm", encoding=None)

    await asyncio.gather(*(one() for _ in range(count)))


def door(broker: Broker) -> Door:
    """Return where its operator logs in."""
    return Door(broker.host, broker.port, broker.login, str(broker.operator_key))


def private(pid: int) -> int:
    """Return the bytes that are a process's alone."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) << 10 for row in rows if row.startswith(_PRIVATE))


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _settled(pid: int) -> int:
    await asyncio.sleep(_SETTLED_S)
    return private(pid)


if __name__ == "__main__":
    if sys.argv[1:2] == ["churn"]:
        churn(*map(int, sys.argv[2:]))
    else:
        main(*map(int, sys.argv[1:]))
