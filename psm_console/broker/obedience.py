"""Takes supervisors' orders out of the store, and hands each to the session that it is about."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from datetime import datetime
from functools import partial

from psm_console.domain.events import Directed, HoldReleased, HoldRenewed
from psm_console.domain.names import SessionId, WorkerId
from psm_console.domain.session import Directive, Outcome, Receipt, SessionState, Verb
from psm_console.store import Store, StoreError, StoreThread

from .entry.moment import utc_now
from .session.driver import SessionDriver
from .session.supervision import Supervision

log = logging.getLogger(__name__)


class Obedience:
    """One worker's obedience: it claims the orders for its own sessions, nobody else's."""

    def __init__(
        self,
        worker: WorkerId,
        store: StoreThread,
        sessions: Mapping[SessionId, SessionDriver],
        coming: Set[SessionId],
        supervision: Supervision,
    ) -> None:
        self._worker = worker
        self._store = store
        self._sessions = sessions
        self._coming = coming
        self._supervision = supervision
        self._early: list[Directive] = []
        """Orders about sessions that the store knows and nobody drives yet."""
        self._beats: dict[str, int] = {}
        """How often each lease on a pause had been renewed at the last look."""

    async def look(self) -> None:
        """Carry out what was ordered since the last look, and see who still holds a pause."""
        try:
            claimed = await self._store.call(partial(_claim, self._worker, utc_now()), first=True)
            try:
                # Whoever resumes may have begun to watch a moment ago.
                await self._supervision.look()
            finally:
                for directive in claimed:
                    self._direct(directive)
            await self._look_at_holds()
        except StoreError as error:
            log.error("the store does not answer: %s", error)

    def settle(self) -> None:
        """Carry out what came before its session had a driver."""
        early, self._early = self._early, []
        for directive in early:
            self._direct(directive)

    def _direct(self, directive: Directive) -> None:
        driver = self._sessions.get(directive.session)
        if driver is None and directive.session in self._coming:
            # Answered as too late it would go on, and its supervisor would believe it ended.
            self._early.append(directive)
            return
        if driver is None or driver.live.state is SessionState.ENDED:
            self._store.submit(partial(_too_late, directive))
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
                hold=directive.hold,
                close_held=directive.close_held,
                held=driver.held(),
            )
        )

    async def _look_at_holds(self) -> None:
        """Hand on which leases were renewed; the clock that counts is the session's own."""
        paused = [
            (driver, driver.live.pause.hold)
            for driver in self._sessions.values()
            if driver.live.pause is not None and driver.live.pause.hold
        ]
        if not paused:
            self._beats = {}
            return
        before = self._beats
        self._beats = await self._store.call(
            lambda store: store.holds.beats(self._worker), first=True
        )
        for driver, hold in paused:
            beat = self._beats.get(hold)
            if beat is None:
                driver.handle(HoldReleased(driver.at(), hold))
            elif beat != before.get(hold):
                driver.handle(HoldRenewed(driver.at(), hold))


def _claim(worker: WorkerId, now: datetime, store: Store) -> list[Directive]:
    if not store.directives.pending(worker):
        return []
    # All or none: an order that is claimed and not returned would never be carried out. Nor does
    # it wait for a disk that is busy: what a power failure takes back was about a lost session.
    with store.unsynced(), store.transaction():
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
