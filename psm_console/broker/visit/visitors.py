"""Who visits: identities that logged in without an account, for the console or a command."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Protocol

import asyncssh

from psm_console.confinement import offered
from psm_console.domain.authorise import Action, Permitted, authorise
from psm_console.domain.policy import Policy
from psm_console.domain.text import visible
from psm_console.operations.errors import PsmError
from psm_console.operations.visitor_reach import secrets_in_reach
from psm_console.operations.visits import OpenVisit, close_visit, open_visit
from psm_console.store import Home, StoreError, StoreThread

from ..entry.keyring import Proof
from ..entry.moment import new_id, utc_now
from ..entry.refusals import RefusalLog
from ..entry.tally import Tally
from ..session.ground import KEY_GONE, Ground
from .visit import Visit, VisitRefusedError

log = logging.getLogger(__name__)

_STORE_S = 5.0
"""How long a visit waits for the store before it is refused."""
_PART_S = 1.0
"""How long a client may take to close its channels after it was told."""
_GONE_S = 3.0
_AWAY = "who visits can not be noted at the moment, so nobody may; tell an admin"
_NO_CONSOLE = (
    "{name} has no role for the console, only for work on targets: log in as "
    "OPERATOR+ACCOUNT@TARGET, for example {name}+root@db1"
)
_WANTED = "the policy wants consoles over ssh confined, and this kernel has no Landlock"
_EXPOSED = "secrets lie where a console over ssh could read them; tell an admin: psm doctor"
UNCONFINED = (
    "this kernel has no Landlock: consoles over ssh run as the broker's user, kept from its files "
    "by psm alone; see [console] require_confinement"
)


class VisitGround(Protocol):
    """What visits need of the worker that they are paid to."""

    @property
    def home(self) -> Home:
        """The home."""

    @property
    def store(self) -> StoreThread:
        """The shared store."""

    @property
    def policy(self) -> Policy:
        """What holds for visits that begin now."""

    @property
    def ground(self) -> Ground:
        """The inventory."""

    @property
    def refusals(self) -> RefusalLog:
        """Has the audit log learn of refusals."""

    @property
    def tally(self) -> Tally:
        """Counts over all workers."""

    @property
    def stopping(self) -> str | None:
        """Why no visit begins any more, once that is so."""

    def spawn(self, coroutine: Coroutine[object, object, object], name: str) -> None:
        """Run `coroutine` as a task that is kept and watched."""


class Visitors:
    """All visitors of one worker."""

    def __init__(self, worker: VisitGround) -> None:
        self.worker = worker
        self._guests: set[Guest] = set()
        self._checked: object = None
        """The inventory that the guests were last held against."""
        self._searched: object = None
        """The inventory that was last searched for secrets in a visit's reach."""
        self._exposed: list[str] = []
        if not offered():
            log.warning(UNCONFINED)

    @property
    def visits(self) -> list[Visit]:
        """The visits that are going on."""
        return [visit for guest in self._guests for visit in guest.visits]

    def receive(self, connection: asyncssh.SSHServerConnection, proof: Proof) -> Guest:
        """Return the guest that `connection` is; whether they may visit is asked for each visit."""
        guest = Guest(self, connection, proof)
        self._guests.add(guest)
        return guest

    async def look(self, proof: Proof) -> None:
        """Raise `VisitRefusedError` unless who proved themselves may visit just now."""
        worker, name = self.worker, proof.identity.name
        if worker.stopping is not None:
            raise VisitRefusedError(worker.stopping)
        try:
            async with asyncio.timeout(_STORE_S):
                await worker.ground.read()
        except (StoreError, TimeoutError) as error:
            # Not on what was true some time ago: it may have been taken away since.
            log.error("nobody may visit, the inventory can not be read: %s", error)
            raise VisitRefusedError(_AWAY) from None
        why = self.reason_against(proof)
        why = why or self._unsafe()
        if why is not None:
            worker.refusals.known("console.refuse", name, why)
            raise VisitRefusedError(why, 4)

    def _unsafe(self) -> str | None:
        """Return why nobody at all may visit here: secrets would be in a visitor's reach."""
        worker = self.worker
        if not offered():
            wanted = worker.policy.console.require_confinement
            return _WANTED if wanted else None
        if self._searched is not worker.ground.inventory:
            self._searched = worker.ground.inventory
            self._exposed = secrets_in_reach(worker.home, worker.ground.inventory)
            if self._exposed:
                log.error("visitors could read secrets of %s", ", ".join(self._exposed)[:500])
        return _EXPOSED if self._exposed else None

    def reason_against(self, proof: Proof) -> str | None:
        """Return why somebody may not visit, as the inventory was last read; None if they may."""
        ground, name = self.worker.ground, proof.identity.name
        known = ground.inventory.identities.get(name)
        if known is None or not ground.keyring.holds(proof):
            return KEY_GONE
        if not isinstance(authorise(known, Action.CONSOLE_OPEN), Permitted):
            return _NO_CONSOLE.format(name=name)
        return None

    def check(self) -> None:
        """Part with the guests who might not come any more, as the inventory is now."""
        if self._checked is self.worker.ground.inventory:
            return
        self._checked = self.worker.ground.inventory
        for guest in list(self._guests):
            why = self.reason_against(guest.proof)
            if why is not None:
                guest.part(why)

    def part(self, reason: str) -> None:
        """Part with everybody."""
        for guest in list(self._guests):
            guest.part(reason)

    async def gone(self) -> None:
        """Wait until nobody is left, for as long as that may take."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GONE_S):
                while self._guests:
                    await next(iter(self._guests)).empty()

    def left(self, guest: Guest) -> None:
        """Forget a guest."""
        self._guests.discard(guest)


class Guest:
    """One connection of a visitor, and the visits that go on in it."""

    def __init__(
        self, visitors: Visitors, connection: asyncssh.SSHServerConnection, proof: Proof
    ) -> None:
        self._visitors = visitors
        self._worker = visitors.worker
        self._connection = connection
        self.proof = proof
        self.visits: set[Visit] = set()
        self._full = False
        self._parting = False
        self._closed = False
        self._emptied = asyncio.Event()

    @property
    def home(self) -> Home:
        """The home that is shown."""
        return self._worker.home

    @property
    def policy(self) -> Policy:
        """What holds for visits that begin now."""
        return self._worker.policy

    def spawn(self, coroutine: Coroutine[object, object, object], name: str) -> None:
        """Run `coroutine` as a task that is kept and watched."""
        self._worker.spawn(coroutine, name)

    async def new_visit(self) -> Visit:
        """Return the visit of a channel that is asked for, or raise `VisitRefusedError`."""
        await self._visitors.look(self.proof)
        most = self.policy.limits.channels
        if self._parting or self._closed:
            raise VisitRefusedError("this connection is being closed")
        if len(self.visits) >= most:
            raise VisitRefusedError(f"{most} channels are open on this connection, no more fit")
        visit = Visit(self)
        visit.hold("wire", self._full)
        self.visits.add(visit)
        return visit

    def wire(self, full: bool) -> None:
        """The connection takes nothing more, or takes bytes again."""
        self._full = full
        for visit in self.visits:
            visit.hold("wire", full)

    def lost(self) -> None:
        """The connection is gone."""
        self._closed = True
        self._look_if_empty()

    def part(self, reason: str) -> None:
        """End all visits and then the connection."""
        if not self._parting:
            self._parting = True
            self.spawn(self._part(reason), "part with a visitor")

    async def _part(self, reason: str) -> None:
        visits = list(self.visits)
        for visit in visits:
            visit.end(reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PART_S):
                for visit in visits:
                    await visit.closed.wait()
        self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, reason[:200])

    async def empty(self) -> None:
        """Wait until the connection and all its visits are over."""
        await self._emptied.wait()

    # What a visit asks

    async def admit(self, words: tuple[str, ...]) -> OpenVisit:
        """Count the visit and note it in the audit log, or raise `VisitRefusedError`."""
        name = self.proof.identity.name
        self._count(1)
        try:
            self._check_room(name)
            client = self._connection.get_extra_info("client_version") or ""
            peer = self._connection.get_extra_info("peername") or ("?", 0)
            note = partial(
                open_visit,
                actor=self.proof.identity,
                visit_id=new_id(),
                peer=visible(f"{peer[0]}:{peer[1]} {client}", 120),
                words=words,
                now=utc_now(),
            )
            async with asyncio.timeout(_STORE_S):
                return await self._worker.store.call(note)
        except (PsmError, StoreError, TimeoutError) as error:
            self._count(-1)
            log.error("a visit of %s is refused: %s", name, error)
            denied = isinstance(error, PsmError) and error.exit_code == 4
            raise VisitRefusedError(str(error) if denied else _AWAY, 4 if denied else 1) from None
        except BaseException:
            self._count(-1)
            raise

    def _check_room(self, name: str) -> None:
        tally, policy = self._worker.tally, self.policy.console
        for key, most, whose in (
            (_visits_of(name), policy.visits_per_identity, f"{name} has"),
            (_VISITS, policy.visits, "there are"),
        ):
            if tally.total(key) > most:
                why = f"{whose} {most} consoles and commands open over ssh; close one, try again"
                self.refused(why)
                raise VisitRefusedError(why)

    def _count(self, by: int) -> None:
        self._worker.tally.count(_VISITS, by)
        self._worker.tally.count(_visits_of(self.proof.identity.name), by)

    def refused(self, what: str) -> None:
        """Have the audit log learn of what the visitor asked for in vain."""
        self._worker.refusals.known("console.refuse", self.proof.identity.name, what)

    def over(self, visit: Visit, opened: OpenVisit | None, how: str, seconds: float) -> None:
        """Note the end of a visit."""
        self.visits.discard(visit)
        if opened is not None:
            self._count(-1)
            self._worker.store.submit(
                lambda store: close_visit(store, opened, how, seconds, utc_now())
            )
        self._look_if_empty()

    def _look_if_empty(self) -> None:
        if self._closed and not self.visits:
            self._emptied.set()
            self._visitors.left(self)


_VISITS = "visits"


def _visits_of(name: str) -> str:
    return f"visits of {name}"
