"""Holding a pause: whoever paused says each second that they still watch over it.

The lease is a row; its token is made here and travels with the order. Who stops saying so, dies or
loses the right leaves the session paused, and the broker marks it for the others.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.domain.session import Directive, Outcome, SessionState
from psm_console.store import Store

from .errors import told
from .permission import may

RENEW_S = 1.0
"""How often a lease is to be renewed."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A pause that `actor` watches over for as long as this is kept."""

    directive: Directive
    actor: Identity


def new_hold() -> str:
    """Return the token of a new lease."""
    return f"h-{secrets.token_hex(8)}"


@told
def keep_holding(store: Store, hold: Hold) -> bool:
    """Say that the pause is still watched; False when there is nothing to hold any more."""
    order = store.directives.get(hold.directive.id)
    if not may(store, hold.actor, Action.SESSION_PAUSE) or not _stands(store, order):
        store.holds.release(order.hold)
        return False
    store.holds.renew(order.hold, order.session, hold.actor.name)
    return True


@told
def stop_holding(store: Store, hold: Hold) -> None:
    """Leave the pause to others: it stays, and they are told at once."""
    store.holds.release(hold.directive.hold)


def _stands(store: Store, order: Directive) -> bool:
    if order.outcome in (Outcome.REFUSED, Outcome.FAILED):
        return False
    session = store.sessions.get(order.session)
    if session.state in (SessionState.ENDED, SessionState.ENDING):
        return False
    if order.outcome is not Outcome.DONE or session.state is SessionState.LOST:
        return True
    return session.state is SessionState.PAUSED and session.paused_by == order.actor
