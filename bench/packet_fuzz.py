"""Pelts a broker with changed packets, before the login and after it, and sees it unharmed.

    python -m bench.packet_fuzz [PACKETS [SEED]]

Half of PACKETS (100,000) come from clients that are not let in, half from one that is. Each hundred
connections an ordinary login is tried; the process's memory is told at the end. A failure names the
seed, which repeats it.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.broker.asking import forgive
from tests.broker.packets import pelt_after, pelt_before
from tests.broker.stand import Stand

_EACH = 60
_AT_ONCE = 8


async def _pelted(
    stand: Stand,
    pelt: Callable[[Stand, random.Random, int], Awaitable[int]],
    packets: int,
    chance: random.Random,
) -> tuple[int, int]:
    sent = connections = 0
    while sent < packets:
        sent += sum(await asyncio.gather(*(pelt(stand, chance, _EACH) for _ in range(_AT_ONCE))))
        connections += _AT_ONCE
        forgive(stand)
        if connections % 100 < _AT_ONCE:
            done = await asyncio.to_thread(stand.client.run, stand.user, "echo in")
            assert done.stdout == b"in\n", done.stderr
    return sent, connections


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


def main(packets: int = 100_000, seed: int = 1) -> None:
    chance = random.Random(seed)
    with Stand() as stand:
        before, began = _resident_mib(), time.monotonic()
        for name, pelt in (("before the login", pelt_before), ("after the login", pelt_after)):
            sent, connections = asyncio.run(_pelted(stand, pelt, packets // 2, chance))
            print(f"{name:17} {sent} packets on {connections} connections", flush=True)
        stand.tidy()
        grown = _resident_mib() - before
        print(f"seed {seed}: {time.monotonic() - began:.0f} s, memory {grown:+.0f} MiB, unharmed")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
