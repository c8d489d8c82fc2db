"""The worker: holds the live sessions of one process, for as long as it keeps its lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any

from psm_console.credentials import HostCa
from psm_console.domain.events import Stopped
from psm_console.domain.inventory import Inventory
from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.policy import Policy
from psm_console.domain.text import visible
from psm_console.recording.signing import Signer
from psm_console.store import Home, Store, StoreThread, listen

from .admission import Admission
from .control import Control
from .descriptors import FOR_CHANNELS, Descriptors
from .disk import Disk
from .entry.attendance import Attendance
from .entry.doorway import Doorway
from .entry.keyring import Keyring, Proof
from .entry.moment import new_id, utc_now
from .entry.outer import Outer
from .entry.refusals import RefusalLog
from .entry.slowdown import Slowdown
from .entry.tally import Tally
from .litter import Litter
from .obedience import Obedience
from .onlookers import Onlookers
from .operator import OperatorLeg
from .policy_file import PolicyFile
from .reserve import Reserve
from .session.bundle import Bundle
from .session.driver import SessionDriver
from .session.ground import Ground
from .session.rounds import Rounds
from .session.supervision import Supervision
from .visit.visitors import Visitors

log = logging.getLogger(__name__)

_HEARTBEAT_S = 1.0
_STOP_S = 8.0
"""How long the ends of all sessions may take when the broker stops."""
_AGAIN_S = 1.0
_TRIES = 3


class Worker:
    """All live sessions of this process. It keeps its lease, and obeys directives for its own."""

    def __init__(
        self, home: Home, store: StoreThread, policy: PolicyFile, signer: Signer, tally: Tally
    ) -> None:
        self.id = WorkerId(new_id())
        self.home = home
        self.store = store
        self._policy_file = policy
        self.signer = signer
        self.sessions: dict[SessionId, SessionDriver] = {}
        self.ground = Ground(store)
        self.host_ca = HostCa(home.host_ca, time.time)
        self.legs: set[OperatorLeg] = set()
        """The clients' connections, with a session or without."""
        self.tally = tally
        self._litter = Litter()
        self._bundle = Bundle(store)
        tally.carry(0)
        self._tasks: set[asyncio.Task[object]] = set()
        self._onlookers = Onlookers(home)
        self._reserve = Reserve(home.reserve)
        self.descriptors = Descriptors(time.monotonic)
        self._admission = Admission(self, self._reserve, Disk(home.recordings))
        self._supervision = Supervision(self.id, store, self.sessions)
        coming = self._admission.coming
        self._obedience = Obedience(self.id, store, self.sessions, coming, self._supervision)
        self._fewer = asyncio.Event()
        """Set when a session is over, or did not come to be."""
        self.stopping: str | None = None
        """Why no session starts any more, once that is so."""
        self.doorway = Doorway(time.monotonic, tally)
        self.slowdown = Slowdown(time.monotonic)
        self.attendance = Attendance(tally)
        self.refusals = RefusalLog(self.audit, time.monotonic)
        self._control = Control(home, self.id, self.sessions, self.refusals)
        self.visitors = Visitors(self)

    @property
    def policy(self) -> Policy:
        """What holds for sessions that start now."""
        return self._policy_file.policy

    @property
    def inventory(self) -> Inventory:
        """The newest inventory that could be read."""
        return self.ground.inventory

    @property
    def keyring(self) -> Keyring:
        """The keys that prove somebody now."""
        return self.ground.keyring

    def arrived(self, leg: OperatorLeg) -> None:
        """Count a client's connection."""
        self.legs.add(leg)
        self.tally.carry(len(self.legs))

    def left(self, leg: OperatorLeg) -> None:
        """Count a client's connection no more."""
        self.legs.discard(leg)
        self.tally.carry(len(self.legs))
        self._litter.add(len(self.legs))

    # Life

    async def prepare(self) -> None:
        """Read the inventory."""
        await self.refresh_inventory()

    def begin(self) -> None:
        """Start the tasks that run for as long as the worker does."""
        self.spawn(self._keep(self._heartbeat), "heartbeat")
        self.spawn(self._keep(Rounds(self.sessions, self._tick, self._bundle.send).run), "rounds")
        self.spawn(self._keep(self._obey), "directives")
        self.spawn(self._keep(self._sync), "sync")
        self.spawn(self._keep(self._supervision.run), "supervision")
        self.spawn(self._keep(self._control.run), "control")

    async def _keep(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work` for ever: a mistake in it must not leave the broker deaf or its lease lapse."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("%s is started again", work.__name__)
            await asyncio.sleep(_AGAIN_S)

    async def stop(self, reason: str) -> None:
        """End every session, and wait until each is sealed and stored."""
        self.stopping = reason
        self.visitors.part(reason)
        for driver in list(self.sessions.values()):
            driver.handle(Stopped(driver.at(), reason))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                while self.sessions or self._admission.under_way:
                    self._fewer.clear()
                    await self._fewer.wait()
        await self.visitors.gone()
        for _ in range(_TRIES):
            if self._tasks:
                for task in self._tasks:
                    task.cancel()
                await asyncio.wait(list(self._tasks), timeout=0.5)
        self._onlookers.close()

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str) -> None:
        """Run `coroutine` as a task that is kept, named and watched."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._watch)

    def _watch(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s failed", task.get_name(), exc_info=error)

    def audit(self, action: str, actor: str, detail: str, session: SessionId | None = None) -> None:
        """Append to the audit log without waiting for it."""
        now = utc_now()
        said = visible(detail, 500)
        self.store.submit(
            lambda store: store.audit.append(now, action, actor, session=session, detail=said)
        )

    # Sessions

    def operator_leg(self) -> OperatorLeg:
        """Return the owner of a client's new connection."""
        return OperatorLeg(self)

    def inner_leg(self, outer: Outer) -> OperatorLeg:
        """Return the owner of a new connection inside `outer`."""
        return OperatorLeg(self, outer)

    async def start_session(
        self, leg: OperatorLeg, proof: Proof, account: AccountRef
    ) -> SessionDriver:
        """Decide, and bring a session into being; raise `RefusedError` when it may not be."""
        try:
            return await self._admission.start_session(leg, proof, account)
        finally:
            self._obedience.settle()
            self._fewer.set()

    def over(self, driver: SessionDriver) -> None:
        """Forget a session that has ended."""
        self.sessions.pop(driver.session.id, None)
        self._fewer.set()

    def appended(self, session: SessionId) -> None:
        """Wake whoever watches `session`."""
        self._onlookers.appended(session)

    def refused(self, action: str, who: str, detail: str, session: SessionId) -> None:
        """Have the audit log learn that the operator of `session` was refused something."""
        self.refusals.known(action, who, detail, session)

    def has_room_for_channel(self) -> bool:
        """Whether a live session may open one more channel."""
        return self.descriptors.has_room(FOR_CHANNELS)

    def need_space(self) -> None:
        """Give back the reserve: a recorder failed, and its end shall still be written."""
        self._reserve.release()

    # What runs beside the sessions

    async def _heartbeat(self) -> None:
        beat: Future[None] | None = None
        while True:
            if beat is None or beat.done():
                # One at a time: while another program holds the store each waits for seconds.
                beat = self.store.submit(partial(_beat, self.id, utc_now()))
            self.refusals.settle()
            if self._policy_file.changed():
                self.audit("policy.reload", "broker", "config.toml changed; new sessions follow it")
            await asyncio.sleep(_HEARTBEAT_S)

    def _tick(self, driver: SessionDriver) -> None:
        at = driver.at()
        with driver.recording():
            driver.recorder.tick(at)
        driver.tick(at, self._bundle)

    async def _sync(self) -> None:
        """Bound what a power loss can take to about a second."""
        while True:
            await asyncio.sleep(1.0)
            drivers = list(self.sessions.values())
            for driver, error in await asyncio.to_thread(_sync_all, drivers):
                with driver.recording():
                    raise error

    async def _obey(self) -> None:
        async for _ in listen(self.home, "store", self.home.database):
            await self._obedience.look()
            await self.refresh_inventory()
            self.ground.check(list(self.sessions.values()), utc_now())
            self.visitors.check()

    async def refresh_inventory(self) -> None:
        """Read the inventory again if it was changed; the old one stays if the store is away."""
        await self.ground.refresh()


def _sync_all(drivers: Iterable[SessionDriver]) -> list[tuple[SessionDriver, Exception]]:
    """Bring the recordings to the disk; return what failed. For a thread: hundreds take a while."""
    failed: list[tuple[SessionDriver, Exception]] = []
    for driver in drivers:
        try:
            driver.recorder.sync()
        except Exception as error:
            failed.append((driver, error))
    return failed


def _beat(worker: WorkerId, now: datetime, store: Store) -> None:
    store.workers.heartbeat(worker, now)
