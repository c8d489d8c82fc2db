"""The audit log: read, and checked."""

from __future__ import annotations

from datetime import datetime

from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.store import AuditEntry, AuditHead, AuditVerdict, Store

from .errors import Usage, told
from .permission import require


@told
def list_audit(
    store: Store,
    actor: Identity,
    now: datetime,
    *,
    limit: int | None = None,
    since: datetime | None = None,
    session: str | None = None,
    action: str | None = None,
    by: str | None = None,
) -> list[AuditEntry]:
    """Return entries oldest first, at most the `limit` newest; `session` may be a prefix."""
    require(store, actor, Action.AUDIT_READ, now)
    whole = None if session is None else store.sessions.resolve(session)
    return store.audit.list(limit, since, whole, action, by)


@told
def verify_audit(
    store: Store, actor: Identity, now: datetime, *, known_head: str | None = None
) -> AuditVerdict:
    """Check the whole chain; `known_head`, an `ID:HASH` noted earlier, shows a cut tail."""
    require(store, actor, Action.AUDIT_VERIFY, now)
    head = None
    if known_head is not None:
        head = AuditHead.parse(known_head)
        if head is None:
            raise Usage("a head of the audit log is written ID:HASH, as `audit verify` prints it")
    return store.audit.verify(head)
