"""What others do to a session: a bulk transfer beside it, and a thousand who never log in.

    python -m bench.neighbours

The echo is of a key at a terminal, through a real ssh. Two workers: the transfer has the one, the
terminal the other; the same transfer past the broker shows what the machine's cores do by
themselves. Then strangers connect, say who they are, and no more, as far as the broker takes them:
what a login costs beside them, and the memory of the worker (`bench.memory` says which).
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack

from tests.support.openssh import environment

from .door import CROWDED
from .echo import echo, typing
from .figures import spread
from .lanes import Lanes, lanes
from .memory import open_terminals, private

_KEYS = 2000
_LOGINS = 20
_STRANGERS = 1000
_SETTLED_S = 2.0
_Key = Callable[[], float]


def main() -> None:
    """Print a line for each figure."""
    with ExitStack() as stack:
        way = stack.enter_context(lanes(workers=2))
        process = stack.enter_context(typing(way, "broker"))
        _beside_bulk(way, lambda: echo(process, b"x"))
    with lanes(config=CROWDED) as way:
        asyncio.run(_beside_strangers(way))


def _beside_bulk(way: Lanes, key: _Key) -> None:
    """Type in one worker while a bulk transfer keeps the other busy."""
    _echoes("echo, nothing else", key)
    for lane, what in (("broker", "through the broker"), ("direct", "past it")):
        # A connection of its own, which the other worker takes.
        argv = way.ssh(lane, "-o", "ControlPath=none", "cat /dev/zero")
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=environment()) as bulk:
            time.sleep(_SETTLED_S)
            _echoes(f"echo beside a bulk transfer {what}", key)
            bulk.kill()


def _echoes(what: str, key: _Key) -> None:
    """Type, and say how long each key took to come back."""
    took = []
    for _ in range(_KEYS):
        took.append(key())
        time.sleep(0.005)
    print(spread(what, took), flush=True)


async def _beside_strangers(way: Lanes) -> None:
    """Have many connect who never log in."""
    (pid,) = way.workers()
    await _logins(way, "a login, nobody else")
    before, strangers = private(pid), []
    for _ in range(_STRANGERS):
        there = (way.broker.host, way.broker.port)
        one = socket.create_connection(there, source_address=("127.0.0.2", 0))
        one.sendall(b"SSH-2.0-nobody\r\n")
        strangers.append(one)
    await asyncio.sleep(_SETTLED_S)
    grown = (private(pid) - before) / 2**20
    print(f"{_STRANGERS} peers that do not log in: {grown:.1f} MiB in all", flush=True)
    await _logins(way, "a login beside them")
    for one in strangers:
        one.close()


async def _logins(way: Lanes, what: str) -> None:
    took = []
    for _ in range(_LOGINS):
        async with AsyncExitStack() as stack:
            began = time.perf_counter()
            await open_terminals(way.broker, stack, 1)
            took.append((time.perf_counter() - began) * 1000)
    print(spread(what, took), flush=True)


if __name__ == "__main__":
    main()
