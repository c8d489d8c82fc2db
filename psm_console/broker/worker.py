"""The worker: holds live sessions, starts them, and takes the orders about them from the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import Any

from psm_console.domain.access import Allowed, Refused, decide
from psm_console.domain.events import Directed, Stopped
from psm_console.domain.inventory import Inventory
from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.policy import Policy
from psm_console.domain.session import Directive, Outcome, Receipt, Session, SessionState, Verb
from psm_console.domain.text import visible
from psm_console.recording.events import RecordingError
from psm_console.recording.signing import Signer
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Home, Ringer, Store, StoreError, StoreThread, listen

from .authentication import Keyring, Proof
from .doorway import Doorway
from .driver import Brief, SessionDriver
from .journal import Journal
from .operator import OperatorLeg, RefusedError
from .policy_file import PolicyFile
from .refusals import RefusalLog
from .reserve import Reserve

log = logging.getLogger(__name__)

_HEARTBEAT_S = 1.0
_STOP_S = 8.0
"""How long the ends of all sessions may take when the broker stops."""
_AGAIN_S = 1.0
_STORE_S = 5.0
"""How long the start of a session waits for the store before it is refused."""
_REFRESH_S = 1.5
"""How long a login waits for the newest inventory; the session's start insists on it."""
_TRIES = 3
_KEY_GONE = "the key that was used to log in is no longer known; ask an admin to add a new one"
UNRECORDED = "sessions can not be recorded at the moment, so none starts; tell an admin"
_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class _InventoryChangedError(Exception):
    """What a session was decided on is no longer what holds."""


def utc_now() -> datetime:
    """Return the wall clock, aware UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return 12 random characters that no eye confuses: 59 bits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


class Worker:
    """All live sessions of this process. It keeps its lease, and obeys directives for its own."""

    def __init__(self, home: Home, store: StoreThread, policy: PolicyFile, signer: Signer) -> None:
        self.id = WorkerId(new_id())
        self.home = home
        self.store = store
        self._policy_file = policy
        self.signer = signer
        self.sessions: dict[SessionId, SessionDriver] = {}
        self.keyring = Keyring(Inventory({}, {}, {}, ()))
        self._inventory = Inventory({}, {}, {}, ())
        self._inventory_version: object = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._ringer = Ringer(home)
        self._reserve = Reserve(home.reserve)
        self._to_ring: set[SessionId] = set()
        self._starting = 0
        self._fewer = asyncio.Event()
        """Set when a session is over, or did not come to be."""
        self.stopping: str | None = None
        """Why no session starts any more, once that is so."""
        self._checked: Inventory | None = None
        """The inventory that the live sessions were last held against."""
        self.doorway = Doorway(time.monotonic)
        self.refusals = RefusalLog(self.audit, time.monotonic)

    @property
    def policy(self) -> Policy:
        """What holds for sessions that start now."""
        return self._policy_file.policy

    # Life

    async def prepare(self) -> None:
        """Read the inventory."""
        await self.refresh_inventory()

    def begin(self) -> None:
        """Start the tasks that run for as long as the worker does."""
        self.spawn(self._keep(self._heartbeat), "heartbeat")
        self.spawn(self._keep(self._obey), "directives")
        self.spawn(self._keep(self._sync), "sync")

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
        for driver in list(self.sessions.values()):
            driver.handle(Stopped(driver.at(), reason))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                while self.sessions or self._starting:
                    self._fewer.clear()
                    await self._fewer.wait()
        for _ in range(_TRIES):
            if self._tasks:
                for task in self._tasks:
                    task.cancel()
                await asyncio.wait(list(self._tasks), timeout=0.5)

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

    async def start_session(
        self, leg: OperatorLeg, proof: Proof, account: AccountRef
    ) -> SessionDriver:
        """Decide, and bring a session into being; raise `RefusedError` when it may not be."""
        self._starting += 1
        try:
            for _ in range(_TRIES):
                with contextlib.suppress(_InventoryChangedError):
                    return await self._start_session(leg, proof, account)
            raise RefusedError("the inventory keeps changing; try again")
        finally:
            self._starting -= 1
            self._fewer.set()

    async def _start_session(
        self, leg: OperatorLeg, proof: Proof, account: AccountRef
    ) -> SessionDriver:
        if self.stopping is not None:
            raise RefusedError(self.stopping)
        try:
            async with asyncio.timeout(_STORE_S):
                await self._read_inventory()
        except (StoreError, TimeoutError) as error:
            # Not on what was true some time ago: it may have been taken away since.
            log.error("no session starts, the inventory can not be read: %s", error)
            raise RefusedError(UNRECORDED) from None
        identity, now = proof.identity, utc_now()
        if not self.keyring.holds(proof):
            self.refusals.known("session.refuse", identity.name, _KEY_GONE)
            raise RefusedError(_KEY_GONE)
        match decide(identity.name, account, self._inventory, now):
            case Refused(reason):
                self.refusals.known("session.refuse", identity.name, f"{account}: {reason}")
                raise RefusedError(reason)
            case Allowed() as allowed:
                pass
        session = Session(
            id=SessionId(new_id()),
            state=SessionState.CONNECTING,
            operator=identity.name,
            account=account,
            started_at=now,
            grant=allowed.grant.id,
            worker=self.id,
            client=_client(leg),
        )
        if not self._reserve.fill():
            self.refusals.known("session.refuse", identity.name, "the disk is full")
            raise RefusedError(UNRECORDED)
        journal = Journal(self.store, session, utc_now)
        recorder = await self._record(session, journal)
        expires = allowed.grant.expires_at
        left = None if expires is None else (expires - now).total_seconds()
        brief = Brief(session, allowed.target, allowed.account, self.policy, proof, left)
        driver = SessionDriver(brief, leg.connection, recorder, journal, self)
        self.sessions[session.id] = driver
        if self.stopping is not None:
            driver.handle(Stopped(driver.at(), self.stopping))
        return driver

    async def _record(self, session: Session, journal: Journal) -> SessionRecorder:
        """Make the session's row and folder. Neither may be missing: no evidence, no session."""
        try:
            begin = partial(_begin, session, self._inventory_version)
            async with asyncio.timeout(_STORE_S):
                await self.store.call(begin)
            return await asyncio.to_thread(
                SessionRecorder.create,
                self.home.recordings,
                session,
                signer=self.signer,
                policy=self.policy.recording,
                on_checkpoint=journal.checkpoint,
                clock=utc_now,
            )
        except (StoreError, TimeoutError, OSError, RecordingError) as error:
            log.error("%s can not be recorded: %s", session.id, error)
            self.store.submit(partial(_unrecorded, session.id, utc_now()))
            raise RefusedError(UNRECORDED) from None

    def over(self, driver: SessionDriver) -> None:
        """Forget a session that has ended."""
        self.sessions.pop(driver.session.id, None)
        self._fewer.set()

    def appended(self, session: SessionId) -> None:
        """Wake whoever watches `session`, once for all that was appended in this loop turn."""
        if session not in self._to_ring:
            if not self._to_ring:
                asyncio.get_running_loop().call_soon(self._ring)
            self._to_ring.add(session)

    def _ring(self) -> None:
        sessions, self._to_ring = self._to_ring, set()
        for session in sessions:
            self._ringer.ring(session)

    def refused(self, action: str, who: str, detail: str, session: SessionId) -> None:
        """Have the audit log learn that the operator of `session` was refused something."""
        self.refusals.known(action, who, detail, session)

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
            for driver in list(self.sessions.values()):
                self._tick(driver)
            self.refusals.settle()
            if self._policy_file.changed():
                self.audit("policy.reload", "broker", "config.toml changed; new sessions follow it")
            await asyncio.sleep(_HEARTBEAT_S)

    def _tick(self, driver: SessionDriver) -> None:
        at = driver.at()
        with driver.recording():
            driver.recorder.tick(at)
        driver.tick(at)

    async def _sync(self) -> None:
        """Bound what a power loss can take to about a second."""
        while True:
            await asyncio.sleep(1.0)
            for driver in list(self.sessions.values()):
                try:
                    await asyncio.to_thread(driver.recorder.sync)
                except Exception as error:
                    with driver.recording():
                        raise error

    async def _obey(self) -> None:
        async for _ in listen(self.home, "store", self.home.database):
            try:
                for directive in await self.store.call(partial(_claim, self.id, utc_now())):
                    self._direct(directive)
            except StoreError as error:
                log.error("the store does not answer: %s", error)
            await self.refresh_inventory()
            self._check_ground()

    def _check_ground(self) -> None:
        """End the sessions that the inventory, as it is now, would not let begin.

        What `apply` takes away it orders to end, but it knows nothing of keys.
        """
        if self._checked is self._inventory:
            return
        self._checked = self._inventory
        now = utc_now()
        for driver in list(self.sessions.values()):
            proof, account = driver.brief.proof, driver.session.account
            answer = decide(proof.identity.name, account, self._inventory, now)
            if not self.keyring.holds(proof):
                driver.handle(Stopped(driver.at(), _KEY_GONE))
            elif isinstance(answer, Refused):
                driver.handle(Stopped(driver.at(), answer.reason))

    def _direct(self, directive: Directive) -> None:
        driver = self.sessions.get(directive.session)
        if driver is None or driver.live.state is SessionState.ENDED:
            self.store.submit(partial(_too_late, directive))
            return
        at = driver.at()
        driver.journal.claimed(directive, at)
        driver.handle(
            Directed(
                at,
                directive.id,
                directive.verb,
                directive.actor,
                reason=directive.reason,
                text=directive.text,
            )
        )

    async def refresh_inventory(self) -> None:
        """Read the inventory again if it was changed; the old one stays if the store is away."""
        try:
            # Not `wait_for`, which may lose a cancellation: this task ends by one.
            async with asyncio.timeout(_REFRESH_S):
                await self._read_inventory()
        except (StoreError, TimeoutError) as error:
            log.error("the inventory can not be read: %s", error)

    async def _read_inventory(self) -> None:
        version, inventory = await self.store.call(
            partial(_inventory_after, self._inventory_version)
        )
        if inventory is not None:
            self._inventory = inventory
            self._inventory_version = version
            self.keyring = Keyring(inventory)


def _beat(worker: WorkerId, now: datetime, store: Store) -> None:
    store.workers.heartbeat(worker, now)


def _begin(session: Session, version: object, store: Store) -> None:
    with store.transaction():
        if store.inventory.version() != version:
            # `apply` ends the sessions that it finds; this one it could not have found.
            raise _InventoryChangedError
        store.sessions.begin(session)
        store.recordings.open(session.id, session.started_at)
        store.audit.append(
            session.started_at,
            "session.connect",
            session.operator,
            session=session.id,
            detail=f"{session.account} from {session.client}",
        )


def _unrecorded(session: SessionId, now: datetime, store: Store) -> None:
    with store.transaction():
        store.sessions.end(
            session, ended_at=now, end_reason="it could not be recorded", ended_by="broker"
        )
        store.audit.append(now, "recording.fail", "broker", session=session)


def _claim(worker: WorkerId, now: datetime, store: Store) -> list[Directive]:
    # All or none: an order that is claimed and not returned would never be carried out.
    with store.transaction():
        return [
            directive
            for directive in store.directives.pending(worker)
            if store.directives.claim(directive.id, worker, now)
        ]


def _too_late(directive: Directive, store: Store) -> None:
    """Answer an order that came when its session was over: what terminate wants is so already."""
    done = directive.verb is Verb.TERMINATE
    outcome = Outcome.DONE if done else Outcome.REFUSED
    store.directives.finish(directive.id, outcome, Receipt(detail="the session had ended before"))


def _inventory_after(version: object, store: Store) -> tuple[object, Inventory | None]:
    current = store.inventory.version()
    return current, None if current == version else store.inventory.load()


def _client(leg: OperatorLeg) -> str:
    peer = leg.connection.get_extra_info("peername") or ("?", 0)
    version = leg.connection.get_extra_info("client_version") or ""
    return visible(f"{peer[0]}:{peer[1]} {version}", 120)
