"""The broker as a foreground service: one process that holds no session, and its workers.

It owns the listening socket, keeps the workers and the inspector alive, and hands the socket on:
to new workers at SIGHUP, to a new supervisor that takes over (`succession`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from psm_console.credentials import ensure_key
from psm_console.recording.signing import Signer
from psm_console.store import Home, Store, StoreError, load_policy
from psm_console.store.store import utc_now

from ..disk import Disk
from ..policy_file import PolicyFile
from .crew import Crew, Rows, WorkerError
from .inspectors import Inspectors
from .listening import DEFAULT_LISTEN, bind, given
from .notify import notify
from .remains import put_away
from .succession import Succession, take_over

log = logging.getLogger(__name__)

Ready = Callable[[dict[str, object]], None]
_MOST_WORKERS = 4
_DISK_S = 5.0
"""Between two looks at the disk."""


class ServeError(Exception):
    """The broker does not come up; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How a broker is to run."""

    listen: str = DEFAULT_LISTEN
    """HOST:PORT; port 0 for any. systemd's socket, where there is one, goes before it."""
    workers: int = 1
    drain_max_s: float = 0.0
    """How long live sessions may go on after SIGTERM; 0 ends them at once."""
    replace: bool = False
    """Take the socket over from the broker that runs, which then drains."""


def default_workers() -> int:
    """One a core that we may use, four at most."""
    return min(len(os.sched_getaffinity(0)), _MOST_WORKERS)


async def serve(home: Home, serving: Serving, ready: Ready) -> int:
    """Run the broker of `home` until SIGTERM or SIGINT; return the exit status.

    `ready` is called once connections are accepted, with `home`, `host`, `port` and `workers`.
    Raises `ListenError`, `SuccessionError`, `ServeError`, `HomeError` or `StoreError`.
    """
    home.check()
    load_policy(home.config)
    ensure_key(home.host_key, "psm host key")
    Signer.load(home.recording_key)
    with Store.open(home) as store:
        store.check_integrity()
    async with AsyncExitStack() as stack:
        before = await take_over(home) if serving.replace else None
        if before is not None:
            listening = before.listening
        else:
            listening = given(os.environ) or bind(serving.listen)
        stack.callback(listening.close)
        put_away(home)
        supervisor = Supervisor(home, serving, listening)
        await stack.enter_async_context(supervisor)
        if before is not None:
            await before.thank()
        host, port = listening.getsockname()[:2]
        await stack.enter_async_context(Succession(home, listening, supervisor.replaced))
        ready({"home": str(home.root), "host": host, "port": port, "workers": serving.workers})
        notify(f"READY=1\nMAINPID={os.getpid()}")
        await supervisor.run()
    return 0


class Supervisor:
    """Keeps one crew at work, and sees the crews before it out."""

    def __init__(self, home: Home, serving: Serving, listening: socket.socket) -> None:
        self._home = home
        self._serving = serving
        self._listening = listening
        self._rows = Rows()
        self._crew = self._new_crew()
        self._leaving: dict[asyncio.Task[None], Crew] = {}
        self._inspectors = Inspectors(home)
        self._told: asyncio.Queue[signal.Signals] = asyncio.Queue()
        """SIGTERM and SIGINT, which nothing keeps waiting."""
        self._renewal = asyncio.Event()
        """SIGHUP, however often it came: new workers are new."""
        self._drains = False
        self._replaced = asyncio.Event()

    async def __aenter__(self) -> Supervisor:
        try:
            await self._crew.start()
        except WorkerError as error:
            raise ServeError(f"the broker does not come up: {error}") from None
        self._beside = [
            asyncio.create_task(self._inspectors.run(), name="inspector"),
            asyncio.create_task(self._watch_disk(), name="disk"),
        ]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.put_nowait, number)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        return self

    async def __aexit__(self, *error: object) -> None:
        for crew in (self._crew, *self._leaving.values()):
            crew.terminate()
        await self._all_ended()
        await self._work_alone()
        await asyncio.to_thread(self._put_away)

    async def _work_alone(self) -> None:
        """End what runs beside the crew."""
        for task in self._beside:
            task.cancel()
        await self._inspectors.stop()

    def replaced(self) -> None:
        """Another supervisor accepts connections on our socket now."""
        self._replaced.set()

    async def run(self) -> None:
        """Work until told to end, drained where that is wanted; a second signal ends it at once."""
        ending = asyncio.create_task(self._next(), name="ending")
        while not ending.done():
            asked = asyncio.create_task(self._renewal.wait(), name="renewal asked")
            await asyncio.wait({ending, asked}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if not ending.done():
                self._renewal.clear()
                await self._renew_unless(ending)
        number = ending.result()
        self._drains = True
        notify("STOPPING=1")
        if self._replaced.is_set():
            # One inspector has an index open: ours would keep the successor's from all sessions,
            # and leave with our last one, when it has long given up on them.
            await self._work_alone()
        # Of a broker that was replaced every session has its whole time.
        if not self._at_once(number):
            await self._drain(self._serving.drain_max_s)

    async def _next(self) -> signal.Signals:
        told = asyncio.ensure_future(self._told.get())
        replaced = asyncio.ensure_future(self._replaced.wait())
        await asyncio.wait({told, replaced}, return_when=asyncio.FIRST_COMPLETED)
        replaced.cancel()
        if told.done():
            return told.result()
        told.cancel()
        return signal.SIGTERM

    async def _renew_unless(self, ending: asyncio.Task[signal.Signals]) -> None:
        """Renew the workers. Who is to end at once does not wait for them; who drains does, as
        clients may be at work with the new ones already."""
        renewal = asyncio.create_task(self._renew(), name="renewal")
        await asyncio.wait({ending, renewal}, return_when=asyncio.FIRST_COMPLETED)
        if not renewal.done():
            if self._at_once(ending.result()):
                renewal.cancel()
            again = asyncio.create_task(self._told.get(), name="told again")
            await asyncio.wait({again, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if again.done():
                self._told.put_nowait(again.result())  # and it does not drain either
                renewal.cancel()
            again.cancel()
        await asyncio.wait({renewal})
        if not renewal.cancelled():
            renewal.result()

    def _at_once(self, number: signal.Signals) -> bool:
        """Whether sessions end at once when told so."""
        return number is signal.SIGINT or self._serving.drain_max_s <= 0

    def _hung_up(self) -> None:
        if self._drains:
            log.warning("no new workers: this broker drains, and ends with its last session")
        else:
            self._renewal.set()

    async def _renew(self) -> None:
        """Put new workers, with the code that is installed now, in the place of the old."""
        fresh = self._new_crew()
        try:
            await fresh.start()
        except WorkerError as error:
            log.error("the workers stay as they are: %s", error)
            return
        old, self._crew = self._crew, fresh
        old.drain(self._serving.drain_max_s)
        leaving = asyncio.create_task(old.ended(), name="old workers")
        self._leaving[leaving] = old
        leaving.add_done_callback(self._leaving.pop)
        await asyncio.to_thread(self._audit, "broker.renew", "new workers, the old ones drain")

    async def _drain(self, left_s: float) -> None:
        await asyncio.to_thread(
            self._audit, "broker.drain", f"live sessions have {left_s:g} s; none begins here"
        )
        self._crew.drain(left_s)
        # While anybody has it open, the kernel takes connections that nobody would answer.
        self._listening.close()
        ended = asyncio.ensure_future(self._all_ended())
        again = asyncio.ensure_future(self._told.get())
        await asyncio.wait({ended, again}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()

    async def _all_ended(self) -> None:
        """Wait until no worker is left, of this crew or of one before it."""
        await asyncio.gather(self._crew.ended(), *self._leaving)

    def _new_crew(self) -> Crew:
        serving = self._serving
        return Crew(
            self._home,
            self._listening,
            self._rows,
            serving.workers,
            serving.drain_max_s,
            self._worker_lost,
        )

    async def _watch_disk(self) -> None:
        disk, policy = Disk(self._home.recordings), PolicyFile(self._home.config)
        while True:
            policy.changed()
            if (news := disk.news(policy.policy.recording)) is not None:
                await asyncio.to_thread(self._audit, *news)
            await asyncio.sleep(_DISK_S)

    async def _worker_lost(self, pid: int, status: int, replaced: bool) -> None:
        lost = await asyncio.to_thread(self._put_away)
        after = "it is replaced" if replaced else "it was leaving"
        detail = f"process {pid} ended with status {status}: {lost} sessions lost; {after}"
        await asyncio.to_thread(self._audit, "worker.lost", detail)

    def _put_away(self) -> int:
        try:
            return put_away(self._home)
        except StoreError as error:
            # Readers see from the lease that these sessions are lost; the next start marks them.
            log.error("lost sessions are not marked yet: %s", error)
            return 0

    def _audit(self, action: str, detail: str) -> None:
        try:
            with Store.open(self._home) as store:
                store.audit.append(utc_now(), action, "broker", detail=detail)
        except StoreError as error:
            log.error("not audited: %s (%s): %s", action, detail, error)
