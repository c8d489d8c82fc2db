"""How a session comes to be: decided on the newest inventory, with its row and its folder made.

Neither may be missing: no right, no session; no evidence, no session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime
from functools import partial
from typing import Protocol

from psm_console.domain.access import Allowed, Refused, decide
from psm_console.domain.events import Stopped
from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.policy import Policy
from psm_console.domain.session import Session, SessionState
from psm_console.domain.text import visible
from psm_console.recording.events import RecordingError
from psm_console.recording.signing import Signer
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Home, Store, StoreError, StoreThread

from .descriptors import CROWDED, FOR_SESSIONS, Descriptors
from .disk import Disk
from .entry.keyring import Proof
from .entry.moment import new_id, utc_now
from .entry.refusals import RefusalLog
from .operator import OperatorLeg, RefusedError
from .reserve import Reserve
from .session.driver import Brief, SessionDriver, Surroundings
from .session.ground import KEY_GONE, STORE_SILENT, Ground
from .session.journal import Journal

log = logging.getLogger(__name__)

_STORE_S = 5.0
"""How long the start of a session waits for the store before it is refused."""
_TRIES = 3
UNRECORDED = "sessions can not be recorded at the moment, so none starts; tell an admin"

_EXPIRED = "the certificate that was used to log in has expired; log in again with a new one"


class _InventoryChangedError(Exception):
    """What a session was decided on is no longer what holds."""


class Doorkeeper(Surroundings, Protocol):
    """What the admission needs of the worker that it brings sessions to."""

    @property
    def id(self) -> WorkerId:
        """Who holds the sessions."""

    @property
    def home(self) -> Home:
        """Where recordings are made."""

    @property
    def store(self) -> StoreThread:
        """The shared store."""

    @property
    def signer(self) -> Signer:
        """Signs the recordings."""

    @property
    def policy(self) -> Policy:
        """What holds for sessions that start now."""

    @property
    def ground(self) -> Ground:
        """The inventory."""

    @property
    def descriptors(self) -> Descriptors:
        """How many files may still be opened."""

    @property
    def refusals(self) -> RefusalLog:
        """Has the audit log learn of refusals."""

    @property
    def stopping(self) -> str | None:
        """Why no session starts any more, once that is so."""

    @property
    def sessions(self) -> dict[SessionId, SessionDriver]:
        """The live sessions."""


class Admission:
    """Decides whether a session may begin, and begins it."""

    def __init__(self, worker: Doorkeeper, reserve: Reserve, disk: Disk) -> None:
        self._worker = worker
        self._reserve = reserve
        self._disk = disk
        self.under_way = 0
        """Sessions that are about to begin."""
        self.coming: set[SessionId] = set()
        """Those of them that the store may know already: orders about them can come."""

    async def start_session(
        self, leg: OperatorLeg, proof: Proof, account: AccountRef
    ) -> SessionDriver:
        """Decide, and bring a session into being; raise `RefusedError` when it may not be."""
        self.under_way += 1
        try:
            for _ in range(_TRIES):
                with contextlib.suppress(_InventoryChangedError):
                    return await self._start(leg, proof, account)
            raise RefusedError("the inventory keeps changing; try again")
        finally:
            self.under_way -= 1

    async def _start(self, leg: OperatorLeg, proof: Proof, account: AccountRef) -> SessionDriver:
        worker = self._worker
        if worker.stopping is not None:
            raise RefusedError(worker.stopping)
        identity = proof.identity
        allowed, now = await self._decide(proof, account)
        session = Session(
            id=SessionId(new_id()),
            state=SessionState.CONNECTING,
            operator=identity.name,
            account=account,
            started_at=now,
            grant=allowed.grant.id,
            worker=worker.id,
            client=_client(leg),
            ticket=proof.answers.ticket,
            reason=proof.answers.reason,
        )
        self._require_room(identity.name)
        journal = Journal(worker.store, session, utc_now)
        recorder = await self._record(session, journal, proof.offer.how)
        expires = allowed.grant.expires_at
        left = None if expires is None else (expires - now).total_seconds()
        brief = Brief(
            session,
            allowed.target,
            allowed.account,
            worker.policy,
            proof,
            left,
            allowed.grant.supervised,
        )
        driver = SessionDriver(brief, leg.connection, recorder, journal, worker)
        worker.sessions[session.id] = driver
        if worker.stopping is not None:
            driver.handle(Stopped(driver.at(), worker.stopping))
        return driver

    def _require_room(self, name: str) -> None:
        """Raise `RefusedError` when what is left of the machine belongs to the live sessions."""
        worker = self._worker
        if not self._disk.has_room(worker.policy.recording) or not self._reserve.fill():
            worker.refusals.known("session.refuse", name, "the disk is full")
            raise RefusedError(UNRECORDED)
        if not worker.descriptors.has_room(FOR_SESSIONS):
            worker.refusals.known("session.refuse", name, CROWDED)
            raise RefusedError(CROWDED)

    async def _decide(self, proof: Proof, account: AccountRef) -> tuple[Allowed, datetime]:
        """Return what allows `account` to who proved themselves, or raise `RefusedError`."""
        ground, refusals = self._worker.ground, self._worker.refusals
        try:
            async with asyncio.timeout(_STORE_S):
                await ground.read()
        except (StoreError, TimeoutError) as error:
            # Not on what was true some time ago: it may have been taken away since.
            why = error or STORE_SILENT
            log.error("no session starts, the inventory can not be read: %s", why)
            raise RefusedError(UNRECORDED) from None
        name, now = proof.identity.name, utc_now()
        if not ground.keyring.holds(proof) or proof.expired(now):
            why = _EXPIRED if proof.expired(now) else KEY_GONE
            refusals.known("session.refuse", name, why)
            raise RefusedError(why)
        match decide(name, account, ground.inventory, now):
            case Refused(reason):
                refusals.known("session.refuse", name, f"{account}: {reason}")
                raise RefusedError(reason)
            case Allowed() as allowed:
                return allowed, now

    async def _record(self, session: Session, journal: Journal, how: str) -> SessionRecorder:
        """Make the session's row and folder; `how` its operator logged in goes into the audit."""
        worker = self._worker
        self.coming.add(session.id)
        try:
            begin = partial(_begin, session, how, worker.ground.version)
            async with asyncio.timeout(_STORE_S):
                await worker.store.call(begin)
            return await asyncio.to_thread(
                SessionRecorder.create,
                worker.home.recordings,
                session,
                signer=worker.signer,
                policy=worker.policy.recording,
                on_checkpoint=journal.checkpoint,
                clock=utc_now,
            )
        except (StoreError, TimeoutError, OSError, RecordingError) as error:
            log.error("%s can not be recorded: %s", session.id, error or STORE_SILENT)
            worker.store.submit(partial(_unrecorded, session.id, utc_now()))
            raise RefusedError(UNRECORDED) from None
        finally:
            # Nothing else runs between this and the session's driver.
            self.coming.discard(session.id)


def _begin(session: Session, how: str, version: object, store: Store) -> None:
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
            detail=f"{session.account} from {session.client} by {how}",
        )


def _unrecorded(session: SessionId, now: datetime, store: Store) -> None:
    with store.transaction():
        store.sessions.end(
            session, ended_at=now, end_reason="it could not be recorded", ended_by="broker"
        )
        store.audit.append(now, "recording.fail", "broker", session=session)


def _client(leg: OperatorLeg) -> str:
    peer = leg.connection.get_extra_info("peername") or ("?", 0)
    version = leg.connection.get_extra_info("client_version") or ""
    inside = "" if leg.outer is None else " inside a jump"
    return visible(f"{peer[0]}:{peer[1]} {version}", 100) + inside
