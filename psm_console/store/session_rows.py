"""How sessions and their channels are read back from rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psm_console.domain.names import AccountRef, GrantId, SessionId, WorkerId
from psm_console.domain.session import (
    LIVE_STATES,
    Channel,
    ChannelKind,
    Held,
    Ledger,
    Session,
    SessionState,
)

from .connection import Value
from .values import from_json, reading, to_text, to_time

LIVE_SQL = "s.state IN ('connecting', 'active', 'paused', 'ending')"
"""The condition of the index `sessions_live`, word for word."""


@dataclass(frozen=True, slots=True)
class Present:
    """What decides how a row reads at an instant: which workers live, and who watches."""

    workers: frozenset[WorkerId]
    watchers: dict[SessionId, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions are wanted; None does not restrict.

    `operator` and `target` are names, or patterns with `*`; a `target` with an `@` is an
    account@target. `since` and `until` bound the start. `text` is looked for, without regard
    to case, in names, reason, ticket, commands and the last line. `limit` keeps the newest.
    """

    live_only: bool = False
    operator: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    limit: int | None = None

    def chosen(self, extra: str, parameters: Sequence[Value]) -> tuple[str, list[Value]]:
        """Return the `FROM …` that chooses from `sessions s`, newest first, and its parameters.

        `extra` is one more condition, with `parameters`.
        """
        condition, values = self._where()
        limit = -1 if self.limit is None else self.limit
        return (
            f"FROM sessions s WHERE {condition} AND {extra}"
            " ORDER BY s.started_at DESC, s.rowid DESC LIMIT ?",
            [*values, *parameters, limit],
        )

    def _where(self) -> tuple[str, list[Value]]:
        parts: list[str] = [LIVE_SQL] if self.live_only else []
        values: list[Value] = []

        def add(part: str, value: Value) -> None:
            parts.append(part)
            values.append(value)

        if self.operator is not None:
            add("s.operator GLOB ?", _glob(self.operator))
        if self.target is not None:
            column = "s.account || '@' || s.target" if "@" in self.target else "s.target"
            add(f"{column} GLOB ?", _glob(self.target))
        if self.since is not None:
            add("s.started_at >= ?", to_text(self.since))
        if self.until is not None:
            add("s.started_at < ?", to_text(self.until))
        if self.text:
            add(f"({_SEARCHED})", self.text)
        return " AND ".join(parts) or "1", values


_SEARCHED = """instr(lower(s.id || ' ' || s.operator || ' ' || s.account || '@' || s.target || ' '
    || coalesce(s.reason, '') || ' ' || coalesce(s.ticket, '') || ' ' || s.last_line || ' '
    || coalesce((SELECT group_concat(c.command, ' ') FROM channels c WHERE c.session = s.id), '')
    ), lower(?))"""


def _glob(pattern: str) -> str:
    """Let only `*` be special."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def session_of(row: sqlite3.Row, channels: tuple[Channel, ...], present: Present) -> Session:
    """Return the session of a row; a live one whose worker is gone is lost."""
    with reading("session", row["id"]):
        state = SessionState(row["state"])
        if state in LIVE_STATES and row["worker"] not in present.workers:
            state = SessionState.LOST
        return Session(
            id=SessionId(row["id"]),
            state=state,
            operator=row["operator"],
            account=AccountRef(row["account"], row["target"]),
            started_at=to_time(row["started_at"]),
            ended_at=to_time(row["ended_at"]),
            grant=None if row["grant_id"] is None else GrantId(row["grant_id"]),
            worker=None if row["worker"] is None else WorkerId(row["worker"]),
            client=row["client"],
            request=row["request"],
            ticket=row["ticket"],
            reason=row["reason"],
            end_reason=row["end_reason"],
            ended_by=row["ended_by"],
            paused_by=row["paused_by"],
            paused_at=to_time(row["paused_at"]),
            output_bytes=row["output_bytes"],
            input_bytes=row["input_bytes"],
            activity=tuple(from_json(row["activity"], list[int])),
            last_line=row["last_line"],
            channels=channels,
            watchers=present.watchers.get(SessionId(row["id"]), ()),
            attention=row["attention"],
            held=tuple(from_json(row["held"], list[Held])),
        )


def channel_of(row: sqlite3.Row) -> Channel:
    """Return the channel of a row."""
    with reading("channel", row["session"]):
        return Channel(
            session=SessionId(row["session"]),
            number=row["number"],
            kind=ChannelKind(row["kind"]),
            pty=bool(row["pty"]),
            command=row["command"],
            file=row["file"],
            opened_at=to_time(row["opened_at"]),
            closed_at=to_time(row["closed_at"]),
            exit=row["exit"],
            ledger=from_json(row["ledger"], Ledger),
        )
