"""A home with everybody in it: an identity for each role, a target, a session of ana's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from psm_console.credentials import make_key
from psm_console.domain.inventory import (
    Account,
    Grant,
    Identity,
    Inventory,
    PasswordFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef, GrantId, SessionId, WorkerId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import ChannelKind, Session, SessionState, Size
from psm_console.operations import grant_id, init
from psm_console.recording import SessionRecorder, Signer
from psm_console.store import Home, Store
from tests.store.factories import NOON, Clock

ROOT = AccountRef("root", "db1")
WORKER = WorkerId("w-1")
GRANT = grant_id("ana", ROOT, None, None)


@dataclass(slots=True)
class Office:
    """A store and who works there; `clock` stands until it is set."""

    store: Store
    clock: Clock
    folder: Path

    @property
    def home(self) -> Home:
        """The home."""
        return self.store.home

    @property
    def now(self) -> datetime:
        """What the clock says."""
        return self.clock()

    def who(self, name: str) -> Identity:
        """Return an identity of the inventory."""
        found = self.store.inventory.identity(name)
        assert found is not None
        return found

    def begin(self, name: str = "s-7100", **changes: Any) -> Session:
        """Begin a session of ana's on root@db1."""
        values: dict[str, Any] = {
            "state": SessionState.ACTIVE,
            "operator": "ana",
            "account": ROOT,
            "started_at": NOON,
            "grant": GRANT,
            "worker": WORKER,
        }
        session = Session(id=SessionId(name), **(values | changes))
        self.store.sessions.begin(session)
        return session

    def record(
        self, name: str = "s-7100", *, closed: bool = True, noted: bool = True, **changes: Any
    ) -> Path:
        """Begin a session with a recording as the broker makes one; return its folder.

        `closed` with its end; `noted` with the closing digest in the audit log.
        """
        session = self.begin(name, **changes)
        rows, one = self.store.recordings, session.id
        rows.open(one, NOON)
        recorder = SessionRecorder.create(
            self.home.recordings,
            session,
            signer=Signer.load(self.home.recording_key),
            policy=RecordingPolicy(),
            on_checkpoint=lambda at: rows.checkpoint(
                one, at.file, at.offset, at.sha256, at.at, at.signature
            ),
            clock=self.clock,
        )
        size = Size(80, 24)
        shell = recorder.open_channel(1, ChannelKind.SHELL, at=0.0, size=size, term="xterm")
        rows.add_file(one, shell.file, ChannelKind.SHELL, NOON)
        shell.output(0.5, b"hello\r\n")
        recorder.checkpoint(0.6)
        if closed:
            seal = recorder.close(1.0, "the client left")
            files = [file.name for file in seal.files]
            rows.close(one, NOON, seal.digest, 1.0, files, seal.size_bytes)
            if noted:
                self.store.audit.append(
                    NOON, "recording.close", "broker", session=one, detail=seal.digest
                )
        return self.home.recordings / name

    def actions(self) -> list[str]:
        """Return the actions in the audit log, oldest first."""
        return [entry.action for entry in self.store.audit.list()]


def staff(folder: Path) -> Inventory:
    """Return an identity for each role, named for it, ana the operator, and db1 with root."""
    key = make_key(folder / "ana", "ana")
    host = make_key(folder / "db1", "db1")
    password = folder / "password"
    password.touch(mode=0o600)
    identities = {role.value: Identity(role.value, frozenset({role})) for role in Role}
    identities["ana"] = Identity("ana", frozenset({Role.OPERATOR}), (key,))
    for name in ("nobody", "leaver"):
        identities[name] = Identity(name, frozenset())
    return Inventory(
        identities=identities,
        targets={"db1": Target("db1", "10.0.0.5", 22, (host,))},
        accounts={ROOT: Account(ROOT, PasswordFile(str(password)))},
        grants=(Grant(GrantId(GRANT), "ana", ROOT),),
    )


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """Open the doors: a new home, its staff, and a living worker."""
    home, clock = Home(folder / "home"), Clock(NOON)
    init(home, NOON)
    with Store.open(home, clock=clock) as store:
        declared = staff(folder)
        local = store.inventory.identity("local")
        assert local is not None
        store.inventory.replace(
            replace(declared, identities={**declared.identities, "local": local})
        )
        store.workers.register(WORKER, os.getpid(), NOON, "127.0.0.1", 2222)
        yield Office(store, clock, folder)
