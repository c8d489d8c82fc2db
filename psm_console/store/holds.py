"""The leases by which pauses are held: whoever holds one says so each second, or is gone.

A lease has a number that grows, no time: the worker looks whether it has grown on a clock of its
own, so that a wall clock that is set neither ends a lease nor keeps a dead one.
"""

from __future__ import annotations

from psm_console.domain.names import SessionId, WorkerId

from .connection import Connection


class HoldRows:
    """The table of leases on pauses; `token` names a lease."""

    def __init__(self, connection: Connection):
        self._db = connection

    def renew(self, token: str, session: SessionId, identity: str) -> None:
        """Begin the lease, or say that it is still held; rings no bell."""
        with self._db.transaction(ring=False):
            self._db.run(
                "INSERT INTO holds (token, session, identity, beat) VALUES (?, ?, ?, 1)"
                " ON CONFLICT (token) DO UPDATE SET beat = beat + 1",
                (token, session, identity),
            )

    def release(self, token: str) -> bool:
        """End the lease, and ring so that it is known at once; False when it had ended."""
        with self._db.transaction():
            return self._db.run("DELETE FROM holds WHERE token = ?", (token,)) > 0

    def beats(self, worker: WorkerId) -> dict[str, int]:
        """Return how often each lease on a session of `worker` has been renewed."""
        rows = self._db.rows(
            "SELECT h.token, h.beat FROM holds h JOIN sessions s ON s.id = h.session"
            " WHERE s.worker = ?",
            (worker,),
        )
        return {row["token"]: row["beat"] for row in rows}

    def forget(self, session: SessionId) -> None:
        """Forget the leases on a session that is over."""
        with self._db.transaction():
            self._db.run("DELETE FROM holds WHERE session = ?", (session,))
