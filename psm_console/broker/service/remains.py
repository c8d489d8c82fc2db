"""What a process that is gone left in the store: sessions that only look live."""

from __future__ import annotations

from datetime import datetime

from psm_console.store import Home, Store
from psm_console.store.store import utc_now


def put_away(home: Home) -> int:
    """Mark the sessions of workers that are gone as lost; return how many there were.

    Raises `StoreError` with a sentence.
    """
    with Store.open(home) as store:
        return _mark(store, utc_now())


def _mark(store: Store, now: datetime) -> int:
    with store.transaction():
        lost = store.sessions.mark_lost(now)
        for session in lost:
            store.audit.append(
                now, "session.lost", "broker", session=session.id, detail="its broker stopped"
            )
    return len(lost)
