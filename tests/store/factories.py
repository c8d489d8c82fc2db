"""Honest defaults for what the store holds."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psm_console.domain.inventory import (
    Account,
    Grant,
    Identity,
    Inventory,
    KeyFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef, DirectiveId, GrantId, SessionId, WorkerId
from psm_console.domain.session import (
    Channel,
    ChannelKind,
    Directive,
    Session,
    SessionState,
    Verb,
)
from psm_console.store import Home, Store

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
WORKER = WorkerId("w-1")
ROOT = AccountRef("root", "db1")


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def make_home(folder: Path) -> Home:
    """Return a home that exists."""
    home = Home(folder / "home")
    home.create()
    return home


def make_store(folder: Path, clock: Clock | None = None) -> Store:
    """Return the open store of a new home."""
    return Store.create(make_home(folder), clock=clock or Clock())


def register_elsewhere(store: Store, worker: WorkerId = WORKER, at: datetime = NOON) -> WorkerId:
    """Register a worker that nobody here can look for: its lease alone tells."""
    register(store, worker, at)
    with store.transaction():
        store._connection.run("UPDATE workers SET process = 'elsewhere 1' WHERE id = ?", (worker,))
    return worker


def register(store: Store, worker: WorkerId = WORKER, at: datetime = NOON) -> WorkerId:
    """Register this process as a worker."""
    store.workers.register(worker, pid=os.getpid(), started_at=at, host="127.0.0.1", port=2222)
    return worker


def make_session(name: str = "s-7100", **changes: Any) -> Session:
    """Return a session of ana's on root@db1, held by `WORKER`."""
    values: dict[str, Any] = {
        "state": SessionState.ACTIVE,
        "operator": "ana",
        "account": ROOT,
        "started_at": NOON,
        "worker": WORKER,
        "client": "10.0.0.9:51234 OpenSSH_9.2p1",
        "grant": GrantId("g-1"),
    }
    return Session(id=SessionId(name), **(values | changes))


def make_channel(session: str = "s-7100", number: int = 1, **changes: Any) -> Channel:
    """Return a shell channel."""
    values: dict[str, Any] = {
        "kind": ChannelKind.SHELL,
        "pty": True,
        "command": None,
        "file": f"{number}-shell.cast",
        "opened_at": NOON,
    }
    return Channel(session=SessionId(session), number=number, **(values | changes))


def make_directive(name: str = "d-1", session: str = "s-7100", **changes: Any) -> Directive:
    """Return sue's order to pause."""
    values: dict[str, Any] = {"verb": Verb.PAUSE, "actor": "sue", "requested_at": NOON}
    return Directive(id=DirectiveId(name), session=SessionId(session), **(values | changes))


def make_inventory(**changes: Any) -> Inventory:
    """Return ana the operator, sue the supervisor, db1 with root, and ana's standing grant."""
    values: dict[str, Any] = {
        "identities": {
            "ana": Identity("ana", frozenset({Role.OPERATOR}), ("ssh-ed25519 AAAA ana",)),
            "sue": Identity("sue", frozenset({Role.SUPERVISOR})),
        },
        "targets": {
            "db1": Target("db1", "10.0.0.5", 22, ("ssh-ed25519 AAAA db1",), ("127.0.0.1:5432",))
        },
        "accounts": {ROOT: Account(ROOT, KeyFile("/etc/psm/root.key"))},
        "grants": (Grant(GrantId("g-1"), "ana", ROOT),),
    }
    return Inventory(**(values | changes))
