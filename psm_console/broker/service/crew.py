"""The worker processes of one broker: started together, each replaced when it dies.

A leash (a socket pair, a line of text a message) runs from here to each worker. The worker says
`ready`; it is told `drain SECONDS`. It ends by SIGTERM, and by itself when the leash is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from psm_console.store import Home

from ..entry.tally import ROWS, Tally, allot

log = logging.getLogger(__name__)

_READY_S = 30.0
_SETTLED_S = 10.0
"""A worker that lived this long and dies is replaced at once; others wait longer each time."""
_LONGEST_WAIT_S = 10.0
_LEAVE_S = 60.0
"""A worker that was told to end its sessions has seconds to do so; past this it hangs."""
_AS_TOLD = frozenset({0, -signal.SIGTERM})
"""How a worker ends that was told to; by the signal itself while it still comes up."""

Lost = Callable[[int, int, bool], Awaitable[None]]
"""Called with the process id and the status of a worker that died unasked, and whether another
takes its place: none does while a crew leaves."""


class WorkerError(Exception):
    """A worker does not come up; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class _Member:
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    leash: asyncio.StreamWriter
    row: int

    def tell(self, line: str) -> None:
        """Send a line, unless the worker is gone: then its end is noticed elsewhere."""
        if not self.leash.is_closing():
            self.leash.write(line.encode() + b"\n")


class Rows:
    """Which worker writes which row of the counts that all share."""

    def __init__(self) -> None:
        self.descriptor = allot()
        self._free = list(range(ROWS - 1, 0, -1))
        self._view = Tally(self.descriptor, 0)
        self._view.leave()

    def take(self) -> int:
        """Return a row that no worker has; raises `WorkerError` when there is none."""
        if not self._free:
            raise WorkerError(f"{ROWS - 1} workers are at work or drain, and that is the limit")
        return self._free.pop()

    def give_back(self, row: int) -> None:
        """Forget what the dead worker of `row` had counted."""
        self._view.clear(row)
        self._free.append(row)


class Crew:
    """`count` workers on one listening socket; without us they go on for `orphan_s` seconds."""

    def __init__(
        self,
        home: Home,
        listening: socket.socket,
        rows: Rows,
        count: int,
        orphan_s: float,
        lost: Lost,
    ) -> None:
        self._home = home
        self._listening = listening
        self._rows = rows
        self._count = count
        self._orphan_s = orphan_s
        self._lost = lost
        self._members: dict[int, _Member] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._leaving = asyncio.Event()

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [member.process.pid for member in self._members.values()]

    async def start(self) -> None:
        """Return when all workers accept connections; raises `WorkerError` with all ended."""
        try:
            async with asyncio.timeout(_READY_S):
                # All of them, or one that comes up behind another's failure would stay unseen.
                came = await asyncio.gather(
                    *(self._begin(place) for place in range(self._count)), return_exceptions=True
                )
            if failed := [error for error in came if error is not None]:
                raise failed[0]
        except BaseException as error:
            self.terminate()
            await asyncio.gather(*(self._end(place) for place in list(self._members)))
            if not isinstance(error, WorkerError | TimeoutError):
                raise
            raise WorkerError(str(error) or f"no worker within {_READY_S:g} s") from None
        self._keepers = [
            asyncio.create_task(self._keep(place), name=f"keeper {place}")
            for place in range(self._count)
        ]

    def drain(self, left_s: float) -> None:
        """Have the workers accept nothing more and end with their last session."""
        self._leaving.set()
        for member in self._members.values():
            member.tell(f"drain {left_s:g}")

    def terminate(self) -> None:
        """Have the workers end their sessions now, and then themselves."""
        self._leaving.set()
        for member in self._members.values():
            if member.process.returncode is None:
                member.process.terminate()
        asyncio.get_running_loop().call_later(_LEAVE_S, self._kill)

    def _kill(self) -> None:
        """End who was told to and hangs: nobody else would."""
        for member in self._members.values():
            if member.process.returncode is None:
                log.error("worker %d does not end, and is killed", member.process.pid)
                member.process.kill()

    async def ended(self) -> None:
        """Wait until no worker is left."""
        await asyncio.gather(*self._keepers)

    async def _begin(self, place: int) -> None:
        row = self._rows.take()
        try:
            member = await self._spawn(row)
        except OSError as error:
            self._rows.give_back(row)
            raise WorkerError(f"no worker can be started: {error.strerror or error}") from None
        except BaseException:
            self._rows.give_back(row)
            raise
        self._members[place] = member
        try:
            said = await member.reader.readline()
        except ConnectionError:
            said = b""  # it died and left unread what it was told
        if said != b"ready\n":
            status = await member.process.wait()
            raise WorkerError(f"a worker ended with status {status} before it was ready; see above")

    async def _spawn(self, row: int) -> _Member:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "psm_console.broker",
                    *("--home", str(self._home.root)),
                    *("--listening", str(self._listening.fileno())),
                    *("--leash", str(theirs.fileno())),
                    *("--tally", str(self._rows.descriptor)),
                    *("--row", str(row)),
                    *("--orphan", f"{self._orphan_s:g}"),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    pass_fds=(self._listening.fileno(), theirs.fileno(), self._rows.descriptor),
                )
        except BaseException:
            ours.close()
            raise
        reader, leash = await asyncio.open_connection(sock=ours)
        return _Member(process, reader, leash, row)

    async def _end(self, place: int) -> tuple[int, int]:
        """Wait for the worker in `place` to end; return its process id and status."""
        member = self._members[place]
        status = await member.process.wait()
        del self._members[place]
        member.leash.close()
        self._rows.give_back(member.row)
        return member.process.pid, status

    async def _keep(self, place: int) -> None:
        """Replace the worker in `place` for as long as it dies unasked."""
        loop = asyncio.get_running_loop()
        wait_s = 0.0
        while True:
            began = loop.time()
            if place in self._members:
                pid, status = await self._end(place)
                leaving = self._leaving.is_set()
                if not leaving or status not in _AS_TOLD:
                    log.error("worker %d ended with status %d", pid, status)
                    try:
                        await self._lost(pid, status, not leaving)
                    except Exception:
                        # Whatever became of the entry, there has to be a worker.
                        log.exception("the loss of worker %d is not noted", pid)
            if self._leaving.is_set():
                return
            settled = loop.time() - began > _SETTLED_S
            wait_s = 0.0 if settled else min(wait_s * 2 + 0.1, _LONGEST_WAIT_S)
            if not await self._again(place, wait_s):
                return

    async def _again(self, place: int, wait_s: float) -> bool:
        """Start a worker in `place` after `wait_s`; False when the crew leaves meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), wait_s)
        if self._leaving.is_set():
            return False
        try:
            async with asyncio.timeout(_READY_S):
                await self._begin(place)
        except WorkerError as error:
            log.error("%s", error)
        except TimeoutError:
            log.error("a worker was not ready within %g s; another is started", _READY_S)
            if place in self._members:
                with contextlib.suppress(ProcessLookupError):
                    self._members[place].process.kill()
        if self._leaving.is_set() and place in self._members:
            # It came up while the others were told to go, and did not hear of it.
            with contextlib.suppress(ProcessLookupError):
                self._members[place].process.terminate()
        return True
