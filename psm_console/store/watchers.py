"""Who shadows which session just now; whoever does not say so every few seconds is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psm_console.domain.names import SessionId, WorkerId

from .connection import Connection
from .values import to_text

STAYS_S = 15.0
"""How long a watcher counts after its last refresh."""


@dataclass(frozen=True, slots=True)
class Watching:
    """A window in which a session is shadowed; `beat` is another text each time it was refreshed.

    No time: what counts is whether it changes, on the clock of who looks, so that a wall clock
    that is set neither ends a watch nor keeps a dead one.
    """

    session: SessionId
    identity: str
    beat: str


class WatcherRows:
    """The table of watchers."""

    def __init__(self, connection: Connection):
        self._db = connection

    def enter(
        self,
        session: SessionId,
        identity: str,
        token: str,
        now: datetime,
        purpose: str = "shadow",
    ) -> None:
        """Note that `identity` watches; `token` names this one window."""
        at = to_text(now)
        with self._db.transaction():
            self._db.run("DELETE FROM watchers WHERE seen_at < ?", (_oldest(now),))
            self._db.run(
                "INSERT OR REPLACE INTO watchers"
                " (token, session, identity, since, seen_at, purpose) VALUES (?, ?, ?, ?, ?, ?)",
                (token, session, identity, at, at, purpose),
            )

    def refresh(self, token: str, now: datetime) -> bool:
        """Say that the window is still open; rings no bell. False when it has been forgotten."""
        with self._db.transaction(ring=False):
            changed = self._db.run(
                "UPDATE watchers SET seen_at = ? WHERE token = ?", (to_text(now), token)
            )
        return changed > 0

    def leave(self, token: str) -> tuple[SessionId, str] | None:
        """Forget the window; return the session and who watched it, or None."""
        with self._db.transaction():
            row = self._db.row("SELECT session, identity FROM watchers WHERE token = ?", (token,))
            self._db.run("DELETE FROM watchers WHERE token = ?", (token,))
        return None if row is None else (SessionId(row["session"]), row["identity"])

    def forget(self, session: SessionId) -> None:
        """Forget all who watched a session that is over."""
        with self._db.transaction():
            self._db.run("DELETE FROM watchers WHERE session = ?", (session,))

    def shadowing(self, worker: WorkerId) -> dict[str, Watching]:
        """Return the windows that show a session of `worker` and nothing else, by token."""
        rows = self._db.rows(
            "SELECT w.token, w.session, w.identity, w.seen_at FROM watchers w"
            " JOIN sessions s ON s.id = w.session WHERE s.worker = ? AND w.purpose = 'shadow'",
            (worker,),
        )
        return {
            row["token"]: Watching(SessionId(row["session"]), row["identity"], row["seen_at"])
            for row in rows
        }

    def present(self, now: datetime) -> dict[SessionId, tuple[str, ...]]:
        """Return who watches each session, first comer first, each name once."""
        rows = self._db.rows(
            "SELECT session, identity FROM watchers WHERE seen_at >= ? ORDER BY since, token",
            (_oldest(now),),
        )
        found: dict[SessionId, dict[str, None]] = {}
        for row in rows:
            found.setdefault(SessionId(row["session"]), {})[row["identity"]] = None
        return {session: tuple(names) for session, names in found.items()}


def _oldest(now: datetime) -> str:
    return to_text(now - timedelta(seconds=STAYS_S))
