"""The gate in front of every operation: who may, asked anew each time, refusals noted."""

from __future__ import annotations

from datetime import datetime

from psm_console.domain.authorise import Action, Context, Permitted, authorise
from psm_console.domain.authorise import Denied as Refusal
from psm_console.domain.inventory import Identity
from psm_console.domain.session import Session
from psm_console.domain.text import visible
from psm_console.store import Store

from .errors import Denied

_UNNOTED = frozenset({Action.SESSION_LIST, Action.RECORDING_LIST, Action.INVENTORY_READ})
"""Lists are polled; a refusal each second would drown the audit log."""


def require(
    store: Store,
    actor: Identity,
    action: Action,
    now: datetime,
    *,
    session: Session | None = None,
    read_only: bool = False,
) -> Identity:
    """Return `actor` as the inventory knows them now, or note the refusal and raise Denied.

    The roles are read anew: who was demoted while their console was open may no longer.
    """
    known = store.inventory.identity(actor.name)
    context = Context(None if session is None else session.operator, read_only)
    answer = (
        Refusal(f"{visible(actor.name, 64)} is no longer in the inventory")
        if known is None
        else authorise(known, action, context)
    )
    if known is not None and isinstance(answer, Permitted):
        return known
    assert isinstance(answer, Refusal)
    if action not in _UNNOTED and not store.read_only:
        store.audit.append(
            now,
            "access.deny",
            actor.name,
            on_behalf_of=actor.owner,
            session=None if session is None else session.id,
            detail={"action": action.value, "reason": answer.reason},
        )
    raise Denied(answer.reason)


def may(store: Store, actor: Identity, action: Action) -> bool:
    """Whether `actor` may do `action` just now; notes nothing."""
    known = store.inventory.identity(actor.name)
    return known is not None and isinstance(authorise(known, action), Permitted)
