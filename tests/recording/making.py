"""Recordings for tests, with honest defaults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from psm_console.domain.names import AccountRef, SessionId
from psm_console.domain.policy import RecordingPolicy
from psm_console.domain.session import ChannelKind, Session, SessionState, Size
from psm_console.recording.channel import ChannelRecorder
from psm_console.recording.events import Event
from psm_console.recording.reader import Tail
from psm_console.recording.signing import Checkpoint, Signer, TrustedKeys
from psm_console.recording.writer import SessionRecorder

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def make_session(session_id: str = "s1", *, reason: str | None = None) -> Session:
    """Return a session of ana on root@db1."""
    return Session(
        id=SessionId(session_id),
        state=SessionState.ACTIVE,
        operator="ana",
        account=AccountRef("root", "db1"),
        started_at=START,
        reason=reason,
    )


def signer_of(seed: int = 1) -> Signer:
    """Return a signer whose key is the same each time."""
    return Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def trusted(seed: int = 1) -> TrustedKeys:
    """Return trust in `signer_of(seed)`."""
    return TrustedKeys.parse(signer_of(seed).allowed_signers_line)


def make_recorder(
    root: Path,
    session_id: str = "s1",
    *,
    policy: RecordingPolicy | None = None,
    seed: int = 1,
    on_checkpoint: Callable[[Checkpoint], None] = lambda point: None,
) -> SessionRecorder:
    """Return a recorder under `root`."""
    return SessionRecorder.create(
        root,
        make_session(session_id),
        signer=signer_of(seed),
        policy=policy or RecordingPolicy(),
        on_checkpoint=on_checkpoint,
        clock=lambda: START,
    )


def open_shell(recorder: SessionRecorder, number: int = 1, *, at: float = 0.0) -> ChannelRecorder:
    """Return a channel with a PTY of 80×24."""
    return recorder.open_channel(
        number, ChannelKind.SHELL, at=at, size=Size(80, 24), term="xterm-256color"
    )


def open_exec(recorder: SessionRecorder, number: int = 1, command: str = "id") -> ChannelRecorder:
    """Return a channel without a PTY."""
    return recorder.open_channel(
        number, ChannelKind.EXEC, at=0.0, size=None, term="", command=command
    )


def read_events(path: Path) -> list[Event]:
    """Return all events of the cast `path`."""
    found: list[Event] = []
    with Tail(path) as tail:
        while True:
            events = tail.read()
            found += events
            if tail.at_end:
                return found


def read_bytes(path: Path, code: str = "o") -> bytes:
    """Return all bytes that the cast `path` recorded under `code`."""
    return b"".join(
        event.data
        for event in read_events(path)
        if event.code == code and isinstance(event.data, bytes)
    )
