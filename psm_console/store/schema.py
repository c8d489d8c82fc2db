"""The tables of the store, as migrations: an old store is brought up to date when it is opened.

A released migration is never edited; a change of schema is a new function at the end, and one
more in `store.SCHEMA_VERSION`.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("psm")


@migrations()
def m001_inventory(db: Database) -> None:
    """Identities, targets, accounts, grants: what `psm apply` declares."""
    db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        """CREATE TABLE identities (
            name TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT,
            roles TEXT NOT NULL, keys TEXT NOT NULL)"""
    )
    db.execute(
        """CREATE TABLE targets (
            name TEXT PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL,
            host_keys TEXT NOT NULL)"""
    )
    db.execute(
        """CREATE TABLE accounts (
            account TEXT NOT NULL,
            target TEXT NOT NULL REFERENCES targets(name) DEFERRABLE INITIALLY DEFERRED,
            credential_kind TEXT NOT NULL, credential TEXT NOT NULL,
            PRIMARY KEY (target, account))"""
    )
    db.execute(
        """CREATE TABLE grants (
            id TEXT PRIMARY KEY,
            operator TEXT NOT NULL REFERENCES identities(name) DEFERRABLE INITIALLY DEFERRED,
            account TEXT NOT NULL, target TEXT NOT NULL, starts_at TEXT, expires_at TEXT,
            FOREIGN KEY (target, account) REFERENCES accounts(target, account)
                DEFERRABLE INITIALLY DEFERRED)"""
    )
    db.execute("CREATE INDEX grants_by_operator ON grants (operator)")
    db.execute("CREATE INDEX grants_by_account ON grants (target, account)")


@migrations()
def m002_sessions(db: Database) -> None:
    """Sessions, their channels and watchers, and the workers that hold them.

    Names stand here as text without foreign keys: a session outlives the inventory it used.
    """
    db.execute(
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY, state TEXT NOT NULL, operator TEXT NOT NULL,
            account TEXT NOT NULL, target TEXT NOT NULL,
            started_at TEXT NOT NULL, ended_at TEXT, grant_id TEXT, worker TEXT,
            client TEXT NOT NULL, request TEXT, ticket TEXT, reason TEXT,
            end_reason TEXT, ended_by TEXT, paused_by TEXT, paused_at TEXT,
            output_bytes INTEGER NOT NULL, input_bytes INTEGER NOT NULL,
            activity TEXT NOT NULL, last_line TEXT NOT NULL, attention TEXT)"""
    )
    db.execute("CREATE INDEX sessions_by_start ON sessions (started_at)")
    db.execute(
        """CREATE INDEX sessions_live ON sessions (started_at)
            WHERE state IN ('connecting', 'active', 'paused', 'ending')"""
    )
    db.execute(
        """CREATE TABLE channels (
            session TEXT NOT NULL REFERENCES sessions(id), number INTEGER NOT NULL,
            kind TEXT NOT NULL, pty INTEGER NOT NULL, command TEXT, file TEXT NOT NULL,
            opened_at TEXT NOT NULL, closed_at TEXT, exit TEXT, ledger TEXT NOT NULL,
            PRIMARY KEY (session, number)) WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE watchers (
            token TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions(id),
            identity TEXT NOT NULL, since TEXT NOT NULL, seen_at TEXT NOT NULL)"""
    )
    db.execute("CREATE INDEX watchers_by_session ON watchers (session)")
    db.execute(
        """CREATE TABLE workers (
            id TEXT PRIMARY KEY, pid INTEGER NOT NULL, process TEXT, host TEXT NOT NULL,
            port INTEGER NOT NULL, started_at TEXT NOT NULL, heartbeat_at TEXT NOT NULL,
            retired_at TEXT)"""
    )


@migrations()
def m003_directives(db: Database) -> None:
    """Supervisors' orders."""
    db.execute(
        """CREATE TABLE directives (
            id TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions(id),
            verb TEXT NOT NULL, actor TEXT NOT NULL, requested_at TEXT NOT NULL,
            reason TEXT NOT NULL, text TEXT NOT NULL, outcome TEXT NOT NULL,
            claimed_by TEXT, claimed_at TEXT, receipt TEXT NOT NULL)"""
    )
    db.execute("CREATE INDEX directives_by_session ON directives (session)")
    db.execute("CREATE INDEX directives_pending ON directives (session) WHERE outcome = 'pending'")


@migrations()
def m004_recordings(db: Database) -> None:
    """What is known of the evidence: the newest checkpoint of each file, the closing digest."""
    db.execute(
        """CREATE TABLE recordings (
            session TEXT PRIMARY KEY REFERENCES sessions(id), opened_at TEXT NOT NULL,
            closed_at TEXT, digest TEXT, duration_s REAL, size_bytes INTEGER,
            sealed TEXT NOT NULL DEFAULT '[]')"""
    )
    db.execute(
        """CREATE TABLE recording_files (
            session TEXT NOT NULL REFERENCES recordings(session), name TEXT NOT NULL,
            kind TEXT NOT NULL, opened_at TEXT NOT NULL, offset INTEGER, sha256 TEXT,
            checkpoint_at TEXT, signature TEXT, PRIMARY KEY (session, name)) WITHOUT ROWID"""
    )


@migrations()
def m005_audit(db: Database) -> None:
    """The audit log: rows are only ever added, each with the hash of the one before."""
    db.execute(
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, action TEXT NOT NULL,
            actor TEXT NOT NULL, on_behalf_of TEXT, session TEXT, detail TEXT NOT NULL,
            previous TEXT NOT NULL, hash TEXT NOT NULL)"""
    )
    db.execute("CREATE INDEX audit_by_session ON audit (session) WHERE session IS NOT NULL")
    db.execute("CREATE INDEX audit_by_action ON audit (action)")
    for change in ("UPDATE", "DELETE"):
        db.execute(
            f"""CREATE TRIGGER audit_refuses_{change.lower()} BEFORE {change} ON audit
                BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"""
        )


@migrations()
def m006_login(db: Database) -> None:
    """Groups with their certificate authorities, second steps, and which code was used last."""
    for column in (
        "member_of TEXT NOT NULL DEFAULT '[]'",
        "totp TEXT",
        "second_step TEXT",
        "verify_required INTEGER",
    ):
        db.execute(f"ALTER TABLE identities ADD COLUMN {column}")
    db.execute(
        """CREATE TABLE identity_groups (
            name TEXT PRIMARY KEY, cert_authority TEXT NOT NULL, second_step TEXT)"""
    )
    db.execute(
        """CREATE TABLE used_codes (
            identity TEXT PRIMARY KEY, step INTEGER NOT NULL) WITHOUT ROWID"""
    )


@migrations()
def m007_holds(db: Database) -> None:
    """Who holds a pause; what a pause holds back; how a resume deals with it."""
    db.execute(
        """CREATE TABLE holds (
            token TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions(id),
            identity TEXT NOT NULL, beat INTEGER NOT NULL) WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX holds_by_session ON holds (session)")
    db.execute("ALTER TABLE directives ADD COLUMN hold TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE directives ADD COLUMN close_held INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE sessions ADD COLUMN held TEXT NOT NULL DEFAULT '[]'")


@migrations()
def m008_forwards(db: Database) -> None:
    """Where sessions on a target may forward to."""
    db.execute("ALTER TABLE targets ADD COLUMN forwards TEXT NOT NULL DEFAULT '[]'")


@migrations()
def m009_supervised(db: Database) -> None:
    """Grants whose sessions somebody has to watch; which watchers have the session before them."""
    db.execute("ALTER TABLE grants ADD COLUMN supervised INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE watchers ADD COLUMN purpose TEXT NOT NULL DEFAULT 'shadow'")
