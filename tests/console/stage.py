"""A home with sessions on it that need no broker: rows in a real store, recordings that grow."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psm_console.domain.inventory import Identity, Role
from psm_console.domain.names import AccountRef, SessionId, WorkerId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import Channel, ChannelKind, Session, SessionState, Size
from psm_console.operations.identity import local_identity
from psm_console.operations.setup import init
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.signing import Signer
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Home, Ringer, Store

WORKER = WorkerId("w-stage")


def now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


class StagedSession:
    """A live session that says what it is told to say."""

    def __init__(self, stage: Stage, session: Session, size: Size, *, pty: bool) -> None:
        self.stage = stage
        self.id = session.id
        self.session = session
        self._recorder = SessionRecorder.create(
            stage.home.recordings,
            session,
            signer=stage.signer,
            policy=RecordingPolicy(),
            on_checkpoint=lambda checkpoint: None,
            clock=now,
        )
        self.channel: ChannelRecorder = self._recorder.open_channel(
            1,
            ChannelKind.SHELL if pty else ChannelKind.EXEC,
            at=0.0,
            size=size if pty else None,
            term="xterm-256color",
            command=None,
        )
        stage.store.recordings.add_file(session.id, self.channel.file, "shell", now())
        stage.store.sessions.add_channel(
            Channel(
                session=session.id,
                number=1,
                kind=ChannelKind.SHELL if pty else ChannelKind.EXEC,
                pty=pty,
                command=None,
                file=self.channel.file,
                opened_at=now(),
            )
        )
        self._at = 0.0

    def prints(self, data: bytes, *, after: float = 0.1) -> None:
        """Record output `after` seconds of the session's own time, and ring."""
        self._at += after
        self.channel.output(self._at, data)
        self.stage.ringer.ring(self.id)

    def resizes(self, columns: int, rows: int) -> None:
        """Record that the operator's window changed."""
        self._at += 0.1
        self.channel.resize(self._at, Size(columns, rows))
        self.stage.ringer.ring(self.id)

    def marks(self, label: str, *, after: float = 0.1, kind: str = "") -> None:
        """Record a marker."""
        self._at += after
        self.channel.mark(self._at, label, kind)

    def becomes(self, state: SessionState, **more: Any) -> None:
        """Change the state in the store."""
        self.stage.store.sessions.set_state(self.id, state, **more)

    def ends(self, reason: str = "logout", by: str | None = None) -> None:
        """End it, recording and row."""
        seal = self._recorder.close(self._at, reason)
        store = self.stage.store
        with store.transaction():
            ledger = self.channel.ledger
            store.sessions.close_channel(self.id, 1, now(), "0", ledger)
            store.sessions.end(self.id, now(), reason, by)
            store.recordings.close(
                self.id,
                now(),
                seal.digest,
                self._at,
                [each.name for each in seal.files],
                seal.size_bytes,
            )


class Stage:
    """A home, its store, and a worker that this process keeps alive."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "home")
        init(self.home, now())
        self.store = Store.open(self.home)
        self.ringer = Ringer(self.home)
        self.signer = Signer.load(self.home.recording_key)
        self.actor = local_identity(self.store, self.home)
        self.start_broker()

    def start_broker(self) -> None:
        """Register a worker that lives as long as this process, with a lease far ahead."""
        self.store.workers.register(WORKER, os.getpid(), now(), "127.0.0.1", 2222)

    def beat(self) -> None:
        """Renew the lease."""
        self.store.workers.heartbeat(WORKER, now())

    def stop_broker(self) -> None:
        """Let the lease be over at once."""
        self.store.workers.retire(WORKER)

    def identity(self, name: str, *roles: Role) -> Identity:
        """Add somebody to the inventory."""
        identity = Identity(name, frozenset(roles))
        inventory = self.store.inventory.load()
        known = {**inventory.identities, name: identity}
        self.store.inventory.replace(replace(inventory, identities=known))
        return identity

    def session(
        self,
        session_id: str,
        operator: str = "ana",
        account: str = "root@db1",
        *,
        size: tuple[int, int] = (80, 24),
        age: float = 60.0,
        pty: bool = True,
        **more: Any,
    ) -> StagedSession:
        """Begin a live session with one channel."""
        ref = AccountRef(*account.split("@", 1))
        session = Session(
            id=SessionId(session_id),
            state=more.pop("state", SessionState.ACTIVE),
            operator=operator,
            account=ref,
            started_at=now() - timedelta(seconds=age),
            worker=WORKER,
            **more,
        )
        self.store.sessions.begin(session)
        return StagedSession(self, session, Size(*size), pty=pty)

    def close(self) -> None:
        """Close the store."""
        self.ringer.close()
        self.store.close()
