"""The broker processes that hold sessions: a worker lives while its lease does."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from psm_console.domain.names import WorkerId

from .connection import Connection
from .errors import NotFound
from .values import reading, to_text, to_time

LEASE_S = 5.0
"""How long a heartbeat lasts; a worker sends one each second."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A broker process and where it listens."""

    id: WorkerId
    pid: int
    process: str | None
    """Which process that is, for the number is used again."""
    host: str
    port: int
    started_at: datetime
    heartbeat_at: datetime
    retired_at: datetime | None

    def alive(self, now: datetime) -> bool:
        """Whether the lease has not run out and the process is there.

        A heartbeat from the future is as void as an old one: the clock was set back.
        """
        if self.retired_at is not None:
            return False
        if abs(now - self.heartbeat_at) > timedelta(seconds=LEASE_S):
            return False
        return not is_gone(self.pid, self.process)

    def runs(self) -> bool:
        """Whether its process is certainly there, whatever became of the lease.

        It may have been kept from renewing it: the store was held, the machine slept, the clock
        was set. What it holds is lost for as long as that lasts, and no longer.
        """
        return self.retired_at is None and is_there(self.pid, self.process)


_List = list[Worker]


class WorkerRows:
    """The table of workers."""

    def __init__(self, connection: Connection):
        self._db = connection

    def register(
        self, worker: WorkerId, pid: int, started_at: datetime, host: str, port: int
    ) -> None:
        """Add a worker that listens on `host`:`port`; its lease starts at `started_at`."""
        at = to_text(started_at)
        with self._db.transaction():
            self._db.run(
                "INSERT OR REPLACE INTO workers (id, pid, process, host, port, started_at,"
                " heartbeat_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (worker, pid, process_mark(pid), host, port, at, at),
            )

    def heartbeat(self, worker: WorkerId, now: datetime) -> None:
        """Renew the lease; rings no bell. NotFound when the worker is unknown or retired."""
        with self._db.transaction(ring=False):
            changed = self._db.run(
                "UPDATE workers SET heartbeat_at = ? WHERE id = ? AND retired_at IS NULL",
                (to_text(now), worker),
            )
        if not changed:
            raise NotFound(f"worker {worker} is not registered")

    def retire(self, worker: WorkerId, now: datetime | None = None) -> None:
        """End the lease: the worker holds no session any more."""
        with self._db.transaction():
            self._db.run(
                "UPDATE workers SET retired_at = coalesce(?, heartbeat_at) WHERE id = ?",
                (to_text(now), worker),
            )

    def list(self) -> _List:
        """Return all workers, oldest first."""
        return [_worker(row) for row in self._db.rows("SELECT * FROM workers ORDER BY started_at")]

    def get(self, worker: WorkerId) -> Worker | None:
        """Return a worker, or None."""
        row = self._db.row("SELECT * FROM workers WHERE id = ?", (worker,))
        return None if row is None else _worker(row)

    def alive(self, now: datetime) -> frozenset[WorkerId]:
        """Return the workers whose lease holds at `now`."""
        rows = self._db.rows("SELECT * FROM workers WHERE retired_at IS NULL")
        return frozenset(worker.id for row in rows if (worker := _worker(row)).alive(now))

    def holding(self, now: datetime) -> frozenset[WorkerId]:
        """Return the workers whose sessions are theirs at `now`: alive, or only kept from it."""
        found = (one for one in self.list() if one.runs() or one.alive(now))
        return frozenset(one.id for one in found)

    def forget(self, worker: WorkerId) -> None:
        """Remove the row of a worker that is gone."""
        with self._db.transaction():
            self._db.run("DELETE FROM workers WHERE id = ?", (worker,))


def _worker(row: sqlite3.Row) -> Worker:
    with reading("worker", row["id"]):
        return Worker(
            id=WorkerId(row["id"]),
            pid=row["pid"],
            process=row["process"],
            host=row["host"],
            port=row["port"],
            started_at=to_time(row["started_at"]),
            heartbeat_at=to_time(row["heartbeat_at"]),
            retired_at=to_time(row["retired_at"]),
        )


def process_mark(pid: int) -> str | None:
    """Return what tells this process from a later one of the same number; None without /proc."""
    status = _status(pid)
    space = _space()
    return None if status is None or space is None else f"{space} {status[1]}"


def is_gone(pid: int, mark: str | None) -> bool:
    """Whether process `pid` with `mark` is certainly not running any more (dead or a zombie)."""
    if mark is None:
        return _no_such_process(pid)
    space, _, started = mark.rpartition(" ")
    if space != _space():
        return False  # seen from another container the number says nothing; the lease decides
    status = _status(pid)
    return status is None or status[0] in "ZX" or status[1] != started


def is_there(pid: int, mark: str | None) -> bool:
    """Whether process `pid` with `mark` is certainly running."""
    if mark is None or mark.rpartition(" ")[0] != _space():
        return False
    return not is_gone(pid, mark)


def _status(pid: int) -> tuple[str, str] | None:
    """Return the state and the start time (clock ticks since boot) of a process; proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # a program's name may hold spaces and brackets
    return fields[0], fields[19]


def _space() -> str | None:
    """Return the boot and the namespace in which process numbers have their meaning."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _no_such_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
