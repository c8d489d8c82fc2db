"""What the driver must do, in this order, before it hands in the next event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .names import DirectiveId
from .session import Outcome, SessionState, Step


class NoticeKind(StrEnum):
    """What the operator is told in-band."""

    PAUSE = "pause"
    RESUME = "resume"
    WARN = "warn"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Mark:
    """Write a named moment into every open channel's recording; `kind` is one word for it."""

    at: float
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Sign the recording as it stands."""

    at: float


@dataclass(frozen=True, slots=True)
class SaveState:
    """Store the session's new state."""

    state: SessionState
    paused_by: str | None = None


@dataclass(frozen=True, slots=True)
class SaveAttention:
    """Store why somebody should look at the session; None when nobody need."""

    text: str | None


@dataclass(frozen=True, slots=True)
class SaveEnd:
    """Store the session's end, and the recording as closed."""

    at: float
    reason: str
    by: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Audit:
    """Append to the audit log."""

    action: str
    actor: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the operator, in any client, at a safe point of each channel's output."""

    kind: NoticeKind
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class HoldInput:
    """Stop reading the operator where there is no PTY."""


@dataclass(frozen=True, slots=True)
class ReleaseInput:
    """Read the operator again."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send the operator what was withheld, in order."""


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Open the channel's other half on the target."""

    channel: int
    waits: str = ""
    """Why that is done with the next `ReleaseInput` only, for the operator; empty when at once."""


@dataclass(frozen=True, slots=True)
class RefuseChannel:
    """Tell the client that the channel does not open, and why."""

    channel: int
    reason: str


@dataclass(frozen=True, slots=True)
class EndChannel:
    """End one channel, both halves, and tell the client why."""

    channel: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """Shut both legs and seal the recording; then hand in `Finished`."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Answer a directive with what became of it."""

    directive: DirectiveId
    outcome: Outcome
    detail: str = ""
    steps: tuple[Step, ...] = ()


Effect = (
    Mark
    | Checkpoint
    | SaveState
    | SaveAttention
    | SaveEnd
    | Audit
    | Announce
    | HoldInput
    | ReleaseInput
    | Deliver
    | OpenChannel
    | RefuseChannel
    | EndChannel
    | Hangup
    | Acknowledge
)
