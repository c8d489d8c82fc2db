"""A worker of the broker as the supervisor starts it, pinned to a core, that notes its own lag.

    python -m bench.probed_worker CORE LAGS --home … (what `python -m psm_console.broker` takes)

Every 10 ms a task wants to run on the worker's loop; a line of the file LAGS holds the clock
(monotonic, seconds) and how many milliseconds too late it ran.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psm_console.broker.__main__ as worker
from psm_console.broker.entry.tally import Tally
from psm_console.broker.service.serve import Running, working
from psm_console.store import Home

_PROBE_S = 0.01
_TOGETHER = 50
"""Lines that are written at once: a probe must not be what takes the time."""


@asynccontextmanager
async def _probed(
    home: Home, listening: socket.socket, tally: Tally | None = None
) -> AsyncIterator[Running]:
    async with working(home, listening, tally) as running:
        probing = asyncio.create_task(_probe(_lags))
        yield running
        probing.cancel()


async def _probe(path: Path) -> None:
    loop = asyncio.get_running_loop()
    lines: list[str] = []
    with path.open("w", buffering=1 << 16) as file:
        while True:
            due = loop.time() + _PROBE_S
            await asyncio.sleep(_PROBE_S)
            now = loop.time()
            lines.append(f"{now:.4f} {(now - due) * 1000:.2f}\n")
            if len(lines) >= _TOGETHER:
                file.writelines(lines)
                file.flush()
                lines.clear()


if __name__ == "__main__":
    core, lags, *rest = sys.argv[1:]
    _lags = Path(lags)
    os.sched_setaffinity(0, {int(core)})
    sys.argv[1:] = rest
    vars(worker)["working"] = _probed
    sys.exit(worker.main())
