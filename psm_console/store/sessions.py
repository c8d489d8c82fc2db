"""Sessions and their channels, as their broker writes them and everybody reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from psm_console.domain.names import SessionId, WorkerId
from psm_console.domain.session import Channel, Held, Ledger, Session, SessionState
from psm_console.domain.text import visible

from .connection import Connection, Value
from .errors import Ambiguous, NotFound
from .holds import HoldRows
from .session_rows import LIVE_SQL, Present, SessionFilter, channel_of, session_of
from .values import to_json, to_text
from .watchers import WatcherRows
from .workers import WorkerRows

BROKER_STOPPED = "the broker stopped"
"""Why a session ended whose broker did not live to say so."""

Sessions = list[Session]
_Channels = list[Channel]


class SessionRows:
    """The tables of sessions and channels. Unknown ids in changes raise NotFound."""

    def __init__(
        self,
        connection: Connection,
        workers: WorkerRows,
        watchers: WatcherRows,
        holds: HoldRows,
        clock: Callable[[], datetime],
    ):
        self._db = connection
        self._workers = workers
        self._watchers = watchers
        self._holds = holds
        self._clock = clock

    def begin(self, session: Session) -> None:
        """Add a session, with its channels."""
        with self._db.transaction():
            self._db.run(_INSERT, _columns(session))
            for channel in session.channels:
                self.add_channel(channel)

    def get(self, id_or_prefix: str) -> Session:
        """Return the session of this id, or the only one whose id starts with it."""
        with self._db.snapshot():
            found = self._resolve(id_or_prefix)
            return self._read(SessionFilter(), "s.id = ?", [found])[0]

    def resolve(self, id_or_prefix: str) -> SessionId:
        """Return the id that `get` would find."""
        with self._db.snapshot():
            return self._resolve(id_or_prefix)

    def list(
        self,
        live_only: bool = True,
        operator: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> Sessions:
        """Return sessions oldest first; the arguments are those of `SessionFilter`.

        Live ones are those that nobody has ended: one whose broker has just died is among
        them, as lost, until a starting broker puts it away.
        """
        with self._db.snapshot():
            return self._read(SessionFilter(live_only, operator, target, since, until, text, limit))

    def held_by(self, worker: WorkerId) -> Sessions:
        """Return the live sessions of a worker."""
        with self._db.snapshot():
            return self._read(SessionFilter(live_only=True), "s.worker = ?", [worker])

    def select(
        self, wanted: SessionFilter, extra: str, parameters: Sequence[Value] = ()
    ) -> Sessions:
        """Return sessions that also fulfil `extra`, for the other repositories."""
        return self._read(wanted, extra, parameters)

    def set_state(
        self,
        session: SessionId,
        state: SessionState,
        *,
        paused_by: str | None = None,
        paused_at: datetime | None = None,
    ) -> None:
        """Change the state of a live session; who paused is known only while it is paused.

        A pause that somebody takes over began when it began.
        """
        self._update(
            session,
            "state = ?, paused_by = ?, held = '[]', paused_at ="
            " CASE WHEN ? IS NULL THEN NULL ELSE coalesce(paused_at, ?) END",
            (state, paused_by, to_text(paused_at), to_text(paused_at)),
            f"AND {LIVE_SQL}",
        )

    def add_channel(self, channel: Channel) -> None:
        """Add a channel that has opened."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO channels (session, number, kind, pty, command, file, opened_at,"
                " closed_at, exit, ledger) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    channel.session,
                    channel.number,
                    channel.kind,
                    channel.pty,
                    channel.command,
                    channel.file,
                    to_text(channel.opened_at),
                    to_text(channel.closed_at),
                    channel.exit,
                    to_json(channel.ledger),
                ),
            )

    def close_channel(
        self,
        session: SessionId,
        number: int,
        closed_at: datetime,
        exit: str | None,
        ledger: Ledger,
    ) -> None:
        """Note how a channel ended and what its recording could not see."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE channels SET closed_at = ?, exit = ?, ledger = ?"
                " WHERE session = ? AND number = ?",
                (to_text(closed_at), exit, to_json(ledger), session, number),
            )
            if not changed:
                raise NotFound(f"session {session} has no channel {number}")

    def set_ledgers(self, session: SessionId, ledgers: Mapping[int, Ledger]) -> None:
        """Note how much of its open channels was recorded how, by number; rings no bell."""
        with self._db.transaction(ring=False):
            for number, ledger in ledgers.items():
                self._db.run(
                    "UPDATE channels SET ledger = ?"
                    " WHERE session = ? AND number = ? AND closed_at IS NULL",
                    (to_json(ledger), session, number),
                )

    def counters(
        self, session: SessionId, output_bytes: int, input_bytes: int, activity: Sequence[int]
    ) -> None:
        """Set the byte counters and the activity (bytes in each of the last spans of 5 s).

        Rings no bell: hundreds of sessions change every second, and who shows them looks as often.
        """
        self._update(
            session,
            "output_bytes = ?, input_bytes = ?, activity = ?",
            (output_bytes, input_bytes, to_json(list(activity))),
            ring=False,
        )

    def set_last_line(self, session: SessionId, text: str) -> None:
        """Set the last line of the screen; made visible and cut here, whoever calls."""
        self._update(session, "last_line = ?", (visible(text, 200),))

    def set_attention(self, session: SessionId, text: str | None) -> None:
        """Say why somebody should look, or None."""
        self._update(session, "attention = ?", (text,))

    def set_held(self, session: SessionId, held: Sequence[Held]) -> None:
        """Say what waits for the end of a pause."""
        self._update(session, "held = ?", (to_json(list(held)),), "AND s.state = 'paused'")

    def end(
        self,
        session: SessionId,
        ended_at: datetime,
        end_reason: str | None = None,
        ended_by: str | None = None,
    ) -> bool:
        """End a session; False when it had ended already (the first end stands)."""
        with self._db.transaction():
            self._resolve(session)
            changed = self._db.run(
                "UPDATE sessions SET state = 'ended', ended_at = ?, end_reason = ?, ended_by = ?,"
                " paused_by = NULL, paused_at = NULL, held = '[]'"
                " WHERE id = ? AND state <> 'ended'",
                (to_text(ended_at), end_reason, ended_by, session),
            )
            self._watchers.forget(session)
            self._holds.forget(session)
        return changed > 0

    def mark_lost(self, now: datetime) -> Sessions:
        """Put away the live sessions whose broker is gone; return them as they now read.

        A starting broker does this before it says that it is ready. They ended when their
        broker was last heard of; their pending directives have failed. A broker that runs, and
        could only not say so in time, keeps its own.
        """
        with self._db.transaction():
            holding = self._workers.holding(now)
            lost = [one for one in self.list() if one.worker not in holding]
            for session in lost:
                self._lose(session, now)
            for worker in self._workers.list():
                if worker.id not in holding:
                    self._workers.forget(worker.id)
            return [self.get(session.id) for session in lost]

    def _lose(self, session: Session, now: datetime) -> None:
        worker = None if session.worker is None else self._workers.get(session.worker)
        heard = session.started_at if worker is None else worker.heartbeat_at
        ended = to_text(min(now, max(heard, session.started_at)))
        self._db.run(
            "UPDATE sessions SET state = 'lost', ended_at = ?, end_reason = ?, paused_by = NULL,"
            " paused_at = NULL WHERE id = ?",
            (ended, BROKER_STOPPED, session.id),
        )
        self._db.run(
            "UPDATE channels SET closed_at = ? WHERE session = ? AND closed_at IS NULL",
            (ended, session.id),
        )
        self._db.run(
            "UPDATE directives SET outcome = 'failed', receipt = ?"
            " WHERE session = ? AND outcome IN ('pending', 'claimed')",
            (to_json({"steps": [], "detail": BROKER_STOPPED}), session.id),
        )
        self._watchers.forget(session.id)
        self._holds.forget(session.id)

    def _update(
        self,
        session: SessionId,
        columns: str,
        values: Sequence[Value],
        extra: str = "",
        *,
        ring: bool = True,
    ) -> None:
        with self._db.transaction(ring=ring):
            changed = self._db.run(
                f"UPDATE sessions AS s SET {columns} WHERE s.id = ? {extra}", (*values, session)
            )
            if not changed:
                self._resolve(session)  # one that has ended is left as it is

    def _resolve(self, prefix: str) -> SessionId:
        if self._db.row("SELECT 1 FROM sessions WHERE id = ?", (prefix,)):
            return SessionId(prefix)
        shown = visible(prefix, 40)
        rows = (
            self._db.rows(
                "SELECT id FROM sessions WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 4",
                (len(prefix), prefix),
            )
            if prefix
            else []
        )
        if not rows:
            raise NotFound(f"no session has the id {shown or 'of no characters'}; see `session ls`")
        if len(rows) > 1:
            named = ", ".join(row["id"] for row in rows[:3]) + (", …" if len(rows) > 3 else "")
            raise Ambiguous(f"{shown} fits several sessions ({named}); give more characters")
        return SessionId(rows[0]["id"])

    def _read(
        self, wanted: SessionFilter, extra: str = "1", parameters: Sequence[Value] = ()
    ) -> Sessions:
        chosen, values = wanted.chosen(extra, parameters)
        rows = self._db.rows(f"SELECT s.* {chosen}", values)
        channels = self._channels(rows, f"SELECT s.id {chosen}", values)
        now = self._clock()
        present = Present(self._workers.alive(now), self._watchers.present(now))
        rows.reverse()
        return [session_of(row, channels.get(row["id"], ()), present) for row in rows]

    def _channels(
        self, rows: Sequence[sqlite3.Row], chosen: str, values: Sequence[Value]
    ) -> dict[str, tuple[Channel, ...]]:
        if not rows:
            return {}
        found: dict[str, _Channels] = {}
        for row in self._db.rows(
            f"SELECT * FROM channels WHERE session IN ({chosen}) ORDER BY session, number", values
        ):
            found.setdefault(row["session"], []).append(channel_of(row))
        return {session: tuple(channels) for session, channels in found.items()}


_COLUMNS = (
    "id, state, operator, account, target, started_at, ended_at, grant_id, worker, client,"
    " request, ticket, reason, end_reason, ended_by, paused_by, paused_at, output_bytes,"
    " input_bytes, activity, last_line, attention"
)
_INSERT = f"INSERT INTO sessions ({_COLUMNS}) VALUES ({', '.join('?' * 22)})"


def _columns(session: Session) -> tuple[Value, ...]:
    return (
        session.id,
        session.state,
        session.operator,
        session.account.account,
        session.account.target,
        to_text(session.started_at),
        to_text(session.ended_at),
        session.grant,
        session.worker,
        session.client,
        session.request,
        session.ticket,
        session.reason,
        session.end_reason,
        session.ended_by,
        session.paused_by,
        to_text(session.paused_at),
        session.output_bytes,
        session.input_bytes,
        to_json(list(session.activity)),
        session.last_line,
        session.attention,
    )
