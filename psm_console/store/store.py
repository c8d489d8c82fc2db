"""The shared store: what broker, console and command line know in common, in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from psm_console.domain.text import visible

from .audit import AuditLog
from .bells import Ringer
from .connection import BUSY_S, Connection, connect, sentences
from .directives import DirectiveRows
from .errors import StoreError
from .holds import HoldRows
from .home import Home
from .inventory import InventoryRows
from .recordings import RecordingRows
from .sessions import SessionRows
from .used_codes import UsedCodes
from .watchers import WatcherRows
from .workers import WorkerRows

APPLICATION_ID = 0x50534D31
"""`PSM1` in the header of the file, so that nobody's database is taken for ours."""
SCHEMA_VERSION = 9
"""How many migrations schema.py has; kept here because reading must not load sqlite-utils."""


def utc_now() -> datetime:
    """Return the wall clock, aware UTC."""
    return datetime.now(UTC)


class Store:
    """One thread's connection to the store of `home`; rows live in its repositories.

    Reads say what is true at `clock()`: a session whose broker is gone reads as lost.
    """

    def __init__(
        self, home: Home, raw: sqlite3.Connection, *, read_only: bool, clock: Callable[[], datetime]
    ):
        self.home = home
        self.read_only = read_only
        self.clock = clock
        self._ringer = Ringer(home)
        self._connection = Connection(raw, home.database, self._ring)
        self.workers = WorkerRows(self._connection)
        self.watchers = WatcherRows(self._connection)
        self.inventory = InventoryRows(self._connection)
        self.holds = HoldRows(self._connection)
        self.sessions = SessionRows(
            self._connection, self.workers, self.watchers, self.holds, clock
        )
        self.directives = DirectiveRows(self._connection)
        self.recordings = RecordingRows(self._connection, self.sessions)
        self.used_codes = UsedCodes(self._connection)
        self.audit = AuditLog(self._connection)

    @classmethod
    def open(
        cls,
        home: Home,
        *,
        read_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
        busy_s: float = BUSY_S,
    ) -> Self:
        """Open the store that `create` made, brought up to date; StoreError says why not.

        `busy_s` is how long a statement waits for another program's lock.
        """
        raw = connect(home.database, read_only=read_only, busy_s=busy_s)
        try:
            with sentences(home.database):
                _recognise(raw, home, read_only)
            return cls(home, raw, read_only=read_only, clock=clock)
        except BaseException:
            raw.close()
            raise

    @classmethod
    def create(cls, home: Home, *, clock: Callable[[], datetime] = utc_now) -> Self:
        """Open the store, made first if there is none; `home` must exist."""
        try:
            # Made by us and not by SQLite, so that it is 0600 from its first byte.
            os.close(os.open(home.database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise StoreError(
                f"the store {visible(str(home.database), 200)} can not be made: "
                f"{error.strerror}; run `psm init`"
            ) from None
        return cls.open(home, clock=clock)

    def transaction(self, *, ring: bool = True) -> AbstractContextManager[None]:
        """Commit all that happens inside or nothing; the `store` bell rings after the COMMIT."""
        return self._connection.transaction(ring=ring)

    def relaxed(self) -> AbstractContextManager[None]:
        """Let the commits inside wait for the disk together, once, at the end."""
        return self._connection.relaxed()

    def unsynced(self) -> AbstractContextManager[None]:
        """Let the commits inside wait for no disk: a power failure may take them back."""
        return self._connection.unsynced()

    def snapshot(self) -> AbstractContextManager[None]:
        """Let several reads see the same instant."""
        return self._connection.snapshot()

    def check_integrity(self) -> None:
        """Raise StoreError when the file is damaged; reads all of it (~1 s for 1 GB)."""
        said = self._connection.row("PRAGMA quick_check(1)")
        if said is None or said[0] != "ok":
            raise StoreError(
                f"the store {visible(str(self.home.database), 200)} is damaged; "
                "stop the broker and put back a backup of it"
            )

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed."""
        row = self._connection.row("PRAGMA data_version")
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        self._ringer.close()
        self._connection.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ring(self) -> None:
        self._ringer.ring("store")


def _recognise(raw: sqlite3.Connection, home: Home, read_only: bool) -> None:
    """Refuse a foreign or newer file, bring an older or empty one up to date."""
    name = visible(str(home.database), 200)
    if not _is_ours(raw):
        raise StoreError(f"{name} is not a store of ours; move it away or choose another home")
    version = _number(raw, "user_version")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store {name} was made by a newer psm (schema {version}, this one knows "
            f"{SCHEMA_VERSION}); update psm"
        )
    if version == SCHEMA_VERSION:
        return
    if read_only:
        raise StoreError(
            f"the store {name} is older than this psm; open it once for writing, with `psm init`"
        )
    _migrate(raw)


def _is_ours(raw: sqlite3.Connection) -> bool:
    empty = raw.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    return _number(raw, "application_id") == (0 if empty else APPLICATION_ID)


def _migrate(raw: sqlite3.Connection) -> None:
    """Apply what is missing in one transaction; who comes second finds it done."""
    from sqlite_utils import Database

    from .schema import migrations

    raw.execute("BEGIN IMMEDIATE")
    try:
        # No plugins: what else is installed on this machine has no business in the store.
        migrations.apply(Database(raw, execute_plugins=False))
        raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise


def _number(raw: sqlite3.Connection, pragma: str) -> int:
    return int(raw.execute(f"PRAGMA {pragma}").fetchone()[0])
