"""The audit log: append-only, each entry bound to the one before it by its hash.

The chain shows an entry that was changed, removed, added between or moved. A tail that was cut
off shows only against a head that somebody has kept elsewhere, or when the cutter forgot the
file's own count of rows.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from .connection import Connection, Value
from .values import reading, to_text, to_time

GENESIS = "0" * 64
"""What stands for the hash before the first entry."""
_BATCH = 2000

Detail = str | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what. `action` is `noun.verb`; `detail` is a string or an object of JSON."""

    id: int
    at: datetime
    action: str
    actor: str
    on_behalf_of: str | None
    session: str | None
    detail: str | dict[str, object]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """How far the log reaches; kept elsewhere, it shows a cut tail."""

    id: int
    hash: str

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> AuditHead | None:
        """Return the head that `str` wrote, or None."""
        number, _, digest = text.strip().partition(":")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            return None
        return cls(int(number), digest)


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What a verification found; `first_bad` is the id at which the chain breaks."""

    ok: bool
    count: int
    head: AuditHead
    first_bad: int | None = None
    detail: str = ""


_List = list[AuditEntry]
_Texts = list[str]
_Values = list[Value]


class AuditLog:
    """The table of audit entries; triggers refuse to change or remove one."""

    def __init__(self, connection: Connection):
        self._db = connection

    def append(
        self,
        at: datetime,
        action: str,
        actor: str,
        on_behalf_of: str | None = None,
        session: str | None = None,
        detail: Detail = "",
    ) -> AuditEntry:
        """Add an entry; in a transaction it stands or falls with what it reports."""
        with self._db.transaction():
            head = self.head()
            fields = (
                head.id + 1,
                to_text(at),
                action,
                actor,
                on_behalf_of,
                session,
                json.dumps(detail, sort_keys=True, ensure_ascii=True, default=str),
            )
            row = (*fields, head.hash, _hash(head.hash, fields))
            self._db.run(
                "INSERT INTO audit (id, at, action, actor, on_behalf_of, session, detail,"
                " previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            found = self._db.row("SELECT * FROM audit WHERE id = ?", (head.id + 1,))
        assert found is not None
        return _entry(found)

    def head(self) -> AuditHead:
        """Return the newest entry's id and hash; 0 and zeros for an empty log."""
        row = self._db.row("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
        return AuditHead(0, GENESIS) if row is None else AuditHead(row["id"], row["hash"])

    def list(
        self,
        limit: int | None = None,
        since: datetime | None = None,
        session: str | None = None,
        action: str | None = None,
        actor: str | None = None,
    ) -> _List:
        """Return entries oldest first, at most the `limit` newest that fit."""
        parts: _Texts = ["1"]
        values: _Values = []
        for part, value in (
            ("at >= ?", to_text(since)),
            ("session = ?", session),
            ("action = ?", action),
            ("actor = ?", actor),
        ):
            if value is not None:
                parts.append(part)
                values.append(value)
        rows = self._db.rows(
            f"SELECT * FROM audit WHERE {' AND '.join(parts)} ORDER BY id DESC LIMIT ?",
            (*values, -1 if limit is None else limit),
        )
        return [_entry(row) for row in reversed(rows)]

    def verify(self, known: AuditHead | None = None) -> AuditVerdict:
        """Check the whole chain, and that it still holds `known`, a head seen earlier."""
        with self._db.snapshot():
            head, count = AuditHead(0, GENESIS), 0
            missing_known = known is not None and known.id > 0
            for row in self._all():
                fault = _fault(row, head)
                if fault:
                    return AuditVerdict(False, count, head, row["id"], fault)
                head, count = AuditHead(row["id"], row["hash"]), count + 1
                missing_known = missing_known and head != known
            if missing_known:
                assert known is not None
                return AuditVerdict(False, count, head, *_lost(known, head))
            if (counted := self._counted()) > head.id:
                return AuditVerdict(
                    False, count, head, head.id + 1, f"{counted - head.id} newest entries are gone"
                )
        return AuditVerdict(True, count, head)

    def _all(self) -> Iterator[sqlite3.Row]:
        """Yield all rows by id, a batch at a time, so that memory stays small."""
        after = -(1 << 63)
        while rows := self._db.rows(
            "SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?", (after, _BATCH)
        ):
            yield from rows
            after = rows[-1]["id"]

    def _counted(self) -> int:
        """Return how many entries SQLite has ever counted into this table."""
        row = self._db.row("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
        return 0 if row is None else int(row["seq"])


def _fault(row: sqlite3.Row, head: AuditHead) -> str:
    """Return why `row` can not follow `head`, or nothing."""
    if row["id"] != head.id + 1:
        return f"the entries between {head.id} and {row['id']} are gone"
    if row["previous"] != head.hash:
        return "it does not continue the entry before it"
    if _hash(head.hash, tuple(row)[:7]) != row["hash"]:
        return "it was changed after it was written"
    return ""


def _lost(known: AuditHead, head: AuditHead) -> tuple[int, str]:
    if known.id > head.id:
        return head.id + 1, f"the log once reached entry {known.id}; the newest are gone"
    return known.id, "the log was rewritten: this entry is not the one that was noted"


def _hash(previous: str, fields: tuple[Value, ...]) -> str:
    """Return SHA-256 (hex) of the previous hash and the entry's fields as canonical JSON."""
    text = json.dumps([previous, *(_plain(field) for field in fields)], separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: Value) -> str | int | float | None:
    """A blob can stand in a tampered row; it must make the hash differ, not raise."""
    return value.hex() + " (blob)" if isinstance(value, bytes) else value


def _entry(row: sqlite3.Row) -> AuditEntry:
    with reading("audit entry", row["id"]):
        detail = json.loads(row["detail"])
        return AuditEntry(
            id=row["id"],
            at=to_time(row["at"]),
            action=row["action"],
            actor=row["actor"],
            on_behalf_of=row["on_behalf_of"],
            session=row["session"],
            detail=detail if isinstance(detail, dict) else str(detail),
            previous=row["previous"],
            hash=row["hash"],
        )
