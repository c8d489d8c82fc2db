"""A worker process: `python -m psm_console.broker`, started by the supervisor only."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import sys
from pathlib import Path

from psm_console.credentials import CredentialError
from psm_console.recording.events import RecordingError
from psm_console.store import Home, HomeError, StoreError

from .descriptors import raise_limit
from .entry.tally import Tally
from .litter import collect_seldom
from .service.draining import drain
from .service.listening import ListenError, adopt
from .service.serve import Running, working

log = logging.getLogger(__name__)

_MORE_EXPENDABLE = "200"
"""When memory runs out the kernel shall take a worker before the supervisor; proc(5)."""


async def _work(
    home: Home,
    listening: socket.socket,
    leash: socket.socket,
    tally: Tally,
    orphan_s: float,
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    reader, writer = await asyncio.open_connection(sock=leash)
    async with working(home, listening, tally) as running:
        writer.write(b"ready\n")
        obeying = asyncio.create_task(_obey(reader, running, orphan_s), name="leash")
        stopped = asyncio.create_task(stopping.wait(), name="stop")
        await asyncio.wait({obeying, stopped}, return_when=asyncio.FIRST_COMPLETED)
        obeying.cancel()
        stopped.cancel()
    with contextlib.suppress(OSError):
        writer.close()


async def _obey(reader: asyncio.StreamReader, running: Running, orphan_s: float) -> None:
    """Return when the worker is drained."""
    line = await reader.readline()
    verb, _, seconds = line.decode("ascii", "replace").strip().partition(" ")
    if verb == "drain":
        await drain(running, float(seconds))
    else:
        log.error("the supervisor is gone; live sessions may go on for %g s", orphan_s)
        await drain(running, orphan_s)


def _oom_first() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_MORE_EXPENDABLE)


def main() -> int:
    """Run one worker until it is told to end."""
    parser = argparse.ArgumentParser(prog="python -m psm_console.broker")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--listening", type=int, required=True, help="an inherited descriptor")
    parser.add_argument("--leash", type=int, required=True, help="an inherited descriptor")
    parser.add_argument("--tally", type=int, required=True, help="an inherited descriptor")
    parser.add_argument("--row", type=int, required=True, help="this worker's row of the tally")
    parser.add_argument("--orphan", type=float, default=0.0, help="seconds without supervisor")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    _oom_first()
    raise_limit()
    collect_seldom()
    leash = socket.socket(fileno=given.leash)
    leash.set_inheritable(False)
    try:
        asyncio.run(
            _work(
                Home(given.home),
                adopt(given.listening),
                leash,
                Tally(given.tally, given.row),
                given.orphan,
            )
        )
    except (HomeError, StoreError, ListenError, CredentialError, RecordingError) as error:
        print(f"psm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
