"""What is known of each recording: its files, their newest checkpoints, how it was closed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psm_console.domain.names import SessionId
from psm_console.domain.session import Session

from .connection import Connection, Value
from .errors import NotFound
from .session_rows import SessionFilter
from .sessions import SessionRows
from .values import from_json, reading, to_json, to_text, to_time

_OF_NOTHING = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of a recording and the newest signed checkpoint that we have seen of it."""

    name: str
    kind: str
    opened_at: datetime
    offset: int | None = None
    """Bytes that the checkpoint covers; None before the first."""
    sha256: str | None = None
    checkpoint_at: datetime | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """A recording in a list; its id is its session's."""

    session: Session
    opened_at: datetime
    closed_at: datetime | None
    """None while it is being written, and for ever after a crash."""
    duration_s: float | None
    size_bytes: int | None
    digest: str | None
    """SHA-256 over the closed recording, which is also in the audit log."""
    files: tuple[RecordedFile, ...]
    sealed: tuple[str, ...]
    """The names of all files that the digest covers; empty until the recording is closed."""

    @property
    def id(self) -> SessionId:
        """The session's id."""
        return self.session.id


Recordings = list[RecordingInfo]
_Files = list[RecordedFile]


class RecordingRows:
    """The tables of recordings and their files."""

    def __init__(self, connection: Connection, sessions: SessionRows):
        self._db = connection
        self._sessions = sessions

    def open(self, session: SessionId, opened_at: datetime) -> None:
        """Note that a session has a recording; harmless when that is known."""
        with self._db.transaction():
            self._db.run(
                "INSERT OR IGNORE INTO recordings (session, opened_at) VALUES (?, ?)",
                (session, to_text(opened_at)),
            )

    def add_file(self, session: SessionId, name: str, kind: str, opened_at: datetime) -> None:
        """Add a file to a session's recording, which the first one opens."""
        with self._db.transaction():
            self.open(session, opened_at)
            self._db.run(
                "INSERT INTO recording_files (session, name, kind, opened_at) VALUES (?, ?, ?, ?)",
                (session, name, kind, to_text(opened_at)),
            )

    def checkpoint(
        self,
        session: SessionId,
        name: str,
        offset: int,
        sha256: str,
        at: datetime,
        signature: str,
    ) -> None:
        """Keep a checkpoint if it is newer than the one we have; rings no bell."""
        with self._db.transaction(ring=False):
            self._db.run(
                "UPDATE recording_files SET offset = ?, sha256 = ?, checkpoint_at = ?,"
                " signature = ? WHERE session = ? AND name = ? AND coalesce(offset, -1) < ?",
                (offset, sha256, to_text(at), signature, session, name, offset),
            )

    def close(
        self,
        session: SessionId,
        closed_at: datetime,
        digest: str,
        duration_s: float,
        files: Sequence[str],
        size_bytes: int,
    ) -> None:
        """Note the end of a recording; the first one stands. NotFound when there is none."""
        with self._db.transaction():
            self._db.run(
                "UPDATE recordings SET closed_at = ?, digest = ?, duration_s = ?, sealed = ?,"
                " size_bytes = ? WHERE session = ? AND closed_at IS NULL",
                (to_text(closed_at), digest, duration_s, to_json(files), size_bytes, session),
            )
            if not self._db.row("SELECT 1 FROM recordings WHERE session = ?", (session,)):
                raise NotFound(f"session {session} has no recording")

    def get(self, id_or_prefix: str) -> RecordingInfo:
        """Return the recording of this id, or the only one whose id starts with it."""
        with self._db.snapshot():
            session = self._sessions.resolve(id_or_prefix)
            found = self._read(SessionFilter(), session)
        if not found:
            raise NotFound(f"session {session} has no recording")
        return found[0]

    def list(
        self,
        live_only: bool = False,
        operator: str | None = None,
        target: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> Recordings:
        """Return recordings oldest first; the arguments are those of `SessionFilter`."""
        with self._db.snapshot():
            return self._read(SessionFilter(live_only, operator, target, since, until, text, limit))

    def known(self, session: SessionId) -> dict[str, tuple[int, str]]:
        """Return file name → (offset, SHA-256) of the newest checkpoints, for verification.

        A file without a checkpoint yet stands with the digest of no bytes: it must exist.
        """
        rows = self._db.rows(
            "SELECT name, offset, sha256 FROM recording_files WHERE session = ?", (session,)
        )
        return {row["name"]: (row["offset"] or 0, row["sha256"] or _OF_NOTHING) for row in rows}

    def _read(self, wanted: SessionFilter, only: SessionId | None = None) -> Recordings:
        extra = "EXISTS (SELECT 1 FROM recordings r WHERE r.session = s.id)"
        parameters: Sequence[Value] = ()
        if only is not None:
            extra, parameters = f"{extra} AND s.id = ?", (only,)
        sessions = self._sessions.select(wanted, extra, parameters)
        chosen, values = wanted.chosen(extra, parameters)
        within = f"WHERE session IN (SELECT s.id {chosen})"
        rows = {
            row["session"]: row
            for row in self._db.rows(f"SELECT * FROM recordings {within}", values)
        }
        files: dict[str, _Files] = {}
        for row in self._db.rows(
            f"SELECT * FROM recording_files {within} ORDER BY session, name", values
        ):
            files.setdefault(row["session"], []).append(_file(row))
        return [
            _info(session, rows[session.id], tuple(files.get(session.id, ())))
            for session in sessions
        ]


def _info(session: Session, row: sqlite3.Row, files: tuple[RecordedFile, ...]) -> RecordingInfo:
    with reading("recording", session.id):
        return RecordingInfo(
            session=session,
            opened_at=to_time(row["opened_at"]),
            closed_at=to_time(row["closed_at"]),
            duration_s=row["duration_s"],
            size_bytes=row["size_bytes"],
            digest=row["digest"],
            files=files,
            sealed=tuple(from_json(row["sealed"], list[str])),
        )


def _file(row: sqlite3.Row) -> RecordedFile:
    with reading("recorded file", row["name"]):
        return RecordedFile(
            name=row["name"],
            kind=row["kind"],
            opened_at=to_time(row["opened_at"]),
            offset=row["offset"],
            sha256=row["sha256"],
            checkpoint_at=to_time(row["checkpoint_at"]),
            signature=row["signature"],
        )
