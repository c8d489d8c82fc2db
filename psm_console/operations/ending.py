"""Ending many sessions with one order each: chosen, authorised and written all together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.domain.session import LIVE_STATES, Directive, Session, SessionState, Verb
from psm_console.store import Store

from .errors import told
from .permission import require
from .sessions import add_directive, require_reason, words


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which live sessions are meant; None does not restrict, `*` in a name matches anything."""

    target: str | None = None
    """A target, or an account@target."""
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """What was ordered: a directive a session, and the sessions that nobody is left to end."""

    given: tuple[tuple[Session, Directive], ...]
    lost: tuple[Session, ...]


@told
def sessions_to_end(store: Store, actor: Identity, chosen: Chosen, now: datetime) -> list[Session]:
    """Return the sessions that `terminate_many` would end, oldest first."""
    require(store, actor, Action.SESSION_LIST, now)
    return _live(store, chosen)


@told
def terminate_many(
    store: Store,
    actor: Identity,
    chosen: Chosen,
    reason: str,
    now: datetime,
    *,
    besides: frozenset[str] = frozenset(),
    read_only: bool = False,
) -> Ending:
    """Order the end of all chosen sessions in one transaction: all are ordered, or none.

    Each is authorised and audited by itself. `besides` are ids that have their order already.
    """
    require_reason(reason)
    reason = words(reason, "reason")
    wanted = [one for one in _live(store, chosen) if one.id not in besides]
    known = actor
    for session in wanted:
        # Before the transaction: a refusal is to stay in the audit log.
        known = require(
            store, actor, Action.SESSION_TERMINATE, now, session=session, read_only=read_only
        )
    if not wanted:
        require(store, actor, Action.SESSION_TERMINATE, now, read_only=read_only)
    with store.transaction():
        # Read again under the lock: some may have ended meanwhile.
        still = [store.sessions.get(session.id) for session in wanted]
        given = tuple(
            (one, add_directive(store, known, Verb.TERMINATE, one.id, reason, "", now))
            for one in still
            if one.state in LIVE_STATES
        )
    return Ending(given, tuple(one for one in still if one.state is SessionState.LOST))


def _live(store: Store, chosen: Chosen) -> list[Session]:
    return store.sessions.list(True, chosen.operator, chosen.target)
