"""One SQLite connection of one thread: prepared statements, transactions, errors as sentences."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from psm_console.domain.text import visible

from .errors import StoreBusy, StoreError

BUSY_S = 5.0
"""How long a statement waits for another program's lock."""

Value = str | int | float | bytes | None


class Connection:
    """Runs statements in transactions and turns SQLite's errors into StoreError.

    `after_commit` is called once after an outermost transaction that asked for it has been
    committed: a bell that rings earlier makes readers miss the row.
    """

    def __init__(self, raw: sqlite3.Connection, path: Path, after_commit: Callable[[], None]):
        raw.row_factory = sqlite3.Row
        self.raw = raw
        self.path = path
        self._file = _file_of(path)
        self._after_commit = after_commit
        self._ring = False
        self._depth = 0
        self._unsynced = False

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with sentences(self.path):
            return self.raw.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with sentences(self.path):
            found: sqlite3.Row | None = self.raw.execute(sql, parameters).fetchone()
            return found

    def run(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """Execute one statement that changes rows, inside a transaction; return how many."""
        with sentences(self.path):
            return self.raw.execute(sql, parameters).rowcount

    @contextmanager
    def transaction(self, *, ring: bool = True) -> Iterator[None]:
        """Commit what happens inside, or nothing of it when it raises; nests by savepoint."""
        if self._depth:
            with self._savepoint(ring):
                yield
            return
        self._check_place()
        with sentences(self.path):
            self.raw.execute("BEGIN IMMEDIATE")
        self._depth, self._ring = 1, ring
        before = self.raw.total_changes
        try:
            yield
            with sentences(self.path):
                self.raw.execute("COMMIT")
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0
        # Two listeners that ring each other for nothing would never sleep again.
        if self._ring and self.raw.total_changes != before:
            self._after_commit()

    @contextmanager
    def _savepoint(self, ring: bool) -> Iterator[None]:
        name = f"inner_{self._depth}"
        with sentences(self.path):
            self.raw.execute(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
            with sentences(self.path):
                self.raw.execute(f"RELEASE {name}")
            self._ring = self._ring or ring
        except BaseException:
            # A full disk may have destroyed the whole transaction already.
            if self.raw.in_transaction:
                self.raw.execute(f"ROLLBACK TO {name}")
                self.raw.execute(f"RELEASE {name}")
            raise
        finally:
            self._depth -= 1

    def _check_place(self) -> None:
        """Refuse to write to a file that has been removed or exchanged under its name.

        SQLite would go on writing to the old one, which nobody else reads any more.
        """
        if _file_of(self.path) != self._file:
            raise StoreError(
                f"the store {visible(str(self.path), 200)} was removed or exchanged while it was "
                "open; stop the broker, put the right one in place and start again"
            )

    @contextmanager
    def relaxed(self) -> Iterator[None]:
        """Let the commits inside wait for the disk together, once, at the end.

        Others see each at once; until the end a power failure could take them back.
        """
        if self.raw.in_transaction:
            yield
            return
        try:
            with self.unsynced():
                yield
        finally:
            self._sync_log()

    @contextmanager
    def unsynced(self) -> Iterator[None]:
        """Let the commits inside wait for no disk: a power failure may take them back."""
        if self.raw.in_transaction or self._unsynced:
            yield
            return
        self.raw.execute("PRAGMA synchronous = NORMAL")
        self._unsynced = True
        try:
            yield
        finally:
            self._unsynced = False
            self.raw.execute("PRAGMA synchronous = FULL")

    def _sync_log(self) -> None:
        try:
            handle = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except FileNotFoundError:
            return  # a checkpoint has put all of it into the database, and synced that
        except OSError as error:
            raise StoreError(
                f"the store {visible(str(self.path), 200)} can not be written: {error.strerror}; "
                "look at the system's log"
            ) from None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the same instant of the store."""
        if self.raw.in_transaction:
            yield
            return
        with sentences(self.path):
            self.raw.execute("BEGIN")
        try:
            yield
        finally:
            if self.raw.in_transaction:
                with sentences(self.path):
                    self.raw.execute("COMMIT")


def _file_of(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at `path` from another one put in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Raise StoreError in place of what SQLite raises inside."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # the wrong thread or a closed connection: a mistake of ours, not the user's
    except sqlite3.Error as error:
        raise _said(error, path) from error
    except UnicodeDecodeError as error:
        # Python can not read what SQLite says of a damaged schema.
        raise StoreError(f"the store {visible(str(path), 200)} {_DAMAGED}") from error


def _said(error: sqlite3.Error, path: Path) -> StoreError:
    name = visible(str(path), 200)
    text = str(error)
    if "locked" in text or "busy" in text:
        return StoreBusy(
            f"the store {name} is held by another program and does not get free; try again"
        )
    for part, sentence in _REMEDIES.items():
        if part in text:
            return StoreError(f"the store {name} {sentence}")
    return StoreError(f"the store {name} refused: {visible(text, 200)}")


_DAMAGED = "is damaged; stop the broker and put back a backup of it"
_REMEDIES = {
    "not a database": "is not a database of ours; move it away or choose another home",
    "malformed": _DAMAGED,
    "Could not decode": _DAMAGED,
    "no such table": "is not a store of ours; move it away or choose another home",
    "no such column": "is not a store of ours; move it away or choose another home",
    "full": "can not grow, the disk is full; make space",
    "disk I/O": "can not be read or written, the disk fails; look at the system's log",
    "readonly": "can not be written; check its owner and mode, and that its disk is writable",
    "unable to open": "can not be opened; check its owner and mode",
}


def connect(path: Path, *, read_only: bool, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Return a connection to the existing database file at `path`; WAL, foreign keys, FULL.

    Read-only, also a copy on a medium that can not be written is opened.
    """
    _check_file(path)
    base = path.absolute().as_uri()
    with sentences(path):
        raw = _open(f"{base}?mode={'ro' if read_only else 'rw'}", busy_s)
        try:
            try:
                _prepare(raw, read_only)
            except sqlite3.OperationalError:
                if not read_only or Path(f"{path}-wal").exists():
                    raise
                # No place for the -shm file: nobody can be writing here, so read without locks.
                raw.close()
                raw = _open(f"{base}?immutable=1", busy_s)
                _prepare(raw, read_only)
        except BaseException:
            raw.close()
            raise
    return raw


def _open(uri: str, busy_s: float) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)


def _prepare(raw: sqlite3.Connection, read_only: bool) -> None:
    raw.execute("PRAGMA foreign_keys = ON")
    # REPLACE would slip past the triggers that keep the audit log append-only.
    raw.execute("PRAGMA recursive_triggers = ON")
    raw.execute("PRAGMA trusted_schema = OFF")
    raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not read_only:
        _use_wal(raw)
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute(f"PRAGMA journal_size_limit = {16 << 20}")


def _use_wal(raw: sqlite3.Connection) -> None:
    """Switch to WAL; the switch itself does not wait for locks, so this does."""
    deadline = time.monotonic() + BUSY_S
    while raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _check_file(path: Path) -> None:
    """Refuse what is no file before SQLite touches it.

    By its status only: to open and close the file here would drop the locks that another
    connection of this process has on it, and let a third program delete its log.
    """
    name = visible(str(path), 200)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise StoreError(
            f"there is no store at {name}; `psm init` makes one in a new home, a lost one comes "
            "from a backup"
        ) from None
    except OSError as error:
        raise StoreError(f"the store {name} can not be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{name} is not a file; move it away or choose another home")
