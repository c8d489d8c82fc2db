"""Supervisors' orders: the console writes them, the worker that holds the session obeys."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from psm_console.domain.names import DirectiveId, SessionId, WorkerId
from psm_console.domain.session import Directive, Outcome, Receipt, Verb
from psm_console.domain.text import visible

from .connection import Connection
from .errors import NotFound
from .values import from_json, reading, to_json, to_text, to_time


class DirectiveRows:
    """The table of directives; the row is the truth, a bell only a hint."""

    def __init__(self, connection: Connection):
        self._db = connection

    def add(self, directive: Directive) -> None:
        """Add an order."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO directives (id, session, verb, actor, requested_at, reason, text,"
                " outcome, claimed_by, receipt, hold, close_held)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    directive.id,
                    directive.session,
                    directive.verb,
                    directive.actor,
                    to_text(directive.requested_at),
                    directive.reason,
                    directive.text,
                    directive.outcome,
                    directive.claimed_by,
                    to_json(directive.receipt),
                    directive.hold,
                    directive.close_held,
                ),
            )

    def get(self, directive: str) -> Directive:
        """Return a directive, or raise NotFound."""
        row = self._db.row("SELECT * FROM directives WHERE id = ?", (directive,))
        if row is None:
            raise NotFound(f"there is no directive {visible(directive, 40)}")
        return _directive(row)

    def pending(self, worker: WorkerId) -> list[Directive]:
        """Return the unclaimed orders for the sessions that `worker` held, oldest first.

        Those that have ended meanwhile count too: their orders want an answer.
        """
        rows = self._db.rows(
            "SELECT d.* FROM directives d JOIN sessions s ON s.id = d.session"
            " WHERE d.outcome = 'pending' AND s.worker = ?"
            " ORDER BY d.requested_at, d.rowid",
            (worker,),
        )
        return [_directive(row) for row in rows]

    def for_session(self, session: SessionId) -> list[Directive]:
        """Return all orders ever given about a session, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM directives WHERE session = ? ORDER BY requested_at, rowid", (session,)
        )
        return [_directive(row) for row in rows]

    def claim(self, directive: DirectiveId, worker: WorkerId, now: datetime) -> bool:
        """Take an order for execution; True for one caller only, whoever else tries."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE directives SET outcome = 'claimed', claimed_by = ?, claimed_at = ?"
                " WHERE id = ? AND outcome = 'pending'",
                (worker, to_text(now), directive),
            )
        return changed == 1

    def finish(self, directive: DirectiveId, outcome: Outcome, receipt: Receipt) -> None:
        """Say what became of an order; the receipt may be given again as steps are done."""
        with self._db.transaction():
            changed = self._db.run(
                "UPDATE directives SET outcome = ?, receipt = ? WHERE id = ?",
                (outcome, to_json(receipt), directive),
            )
            if not changed:
                raise NotFound(f"there is no directive {visible(directive, 40)}")


def _directive(row: sqlite3.Row) -> Directive:
    with reading("directive", row["id"]):
        return Directive(
            id=DirectiveId(row["id"]),
            session=SessionId(row["session"]),
            verb=Verb(row["verb"]),
            actor=row["actor"],
            requested_at=to_time(row["requested_at"]),
            reason=row["reason"],
            text=row["text"],
            hold=row["hold"],
            close_held=bool(row["close_held"]),
            outcome=Outcome(row["outcome"]),
            claimed_by=None if row["claimed_by"] is None else WorkerId(row["claimed_by"]),
            receipt=from_json(row["receipt"], Receipt),
        )
