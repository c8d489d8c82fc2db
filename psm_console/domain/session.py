"""What is known of a session, its channels and the orders given about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .names import AccountRef, DirectiveId, GrantId, SessionId, WorkerId


class SessionState(StrEnum):
    """Where a session stands; LOST is what readers call one whose broker died."""

    CONNECTING = "connecting"
    ACTIVE = "active"
    PAUSED = "paused"
    ENDING = "ending"
    ENDED = "ended"
    LOST = "lost"


LIVE_STATES = frozenset(
    {SessionState.CONNECTING, SessionState.ACTIVE, SessionState.PAUSED, SessionState.ENDING}
)


class Verb(StrEnum):
    """A supervisor's order."""

    PAUSE = "pause"
    RESUME = "resume"
    WARN = "warn"
    TERMINATE = "terminate"


TRANSITIONS: dict[tuple[SessionState, Verb], SessionState] = {
    (SessionState.ACTIVE, Verb.PAUSE): SessionState.PAUSED,
    (SessionState.PAUSED, Verb.PAUSE): SessionState.PAUSED,
    (SessionState.PAUSED, Verb.RESUME): SessionState.ACTIVE,
    (SessionState.ACTIVE, Verb.WARN): SessionState.ACTIVE,
    (SessionState.PAUSED, Verb.WARN): SessionState.PAUSED,
    (SessionState.CONNECTING, Verb.TERMINATE): SessionState.ENDING,
    (SessionState.ACTIVE, Verb.TERMINATE): SessionState.ENDING,
    (SessionState.PAUSED, Verb.TERMINATE): SessionState.ENDING,
}
"""Where an order leads; a missing key is an order that the state refuses.

A second pause takes over one that nobody holds.
"""


class ChannelKind(StrEnum):
    """The kinds of SSH channel that a session may open."""

    SHELL = "shell"
    EXEC = "exec"
    SFTP = "sftp"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal's size in cells."""

    columns: int
    rows: int

    @classmethod
    def clamped(cls, columns: int, rows: int) -> Size:
        """Return the nearest size within 1-1000 × 1-500 (a client may ask for 2^32-1)."""
        return cls(min(max(columns, 1), 1000), min(max(rows, 1), 500))


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many bytes of a channel went each way and how they were recorded (blind spots show)."""

    output_bytes: int = 0
    input_bytes: int = 0
    """What the operator sent and the target was given."""
    input_recorded: str = "counts"
    """`bytes`, or `counts` where policy keeps typed text out of the recording; `digest` for sftp
    and forwards, whose bytes are kept as SHA-256, the former's operations as such."""
    raw_bytes: int = 0
    """Of all bytes, those kept beside the cast because they are not text."""
    digest_bytes: int = 0
    """Of all bytes, those kept as SHA-256 only, past the channel's quota."""
    discarded_bytes: int = 0
    """Typed while paused and thrown away."""
    operations: int = 0
    """Of an sftp channel: the file operations that were asked for, the refused ones included."""
    protocol: str = ""
    """Of a forward: what its first bytes look like, `tls`, `postgres`…; empty when not known."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One SSH channel of a session. `number` counts from 1; `file` is its cast's name."""

    session: SessionId
    number: int
    kind: ChannelKind
    pty: bool
    command: str | None
    file: str
    opened_at: datetime
    closed_at: datetime | None = None
    exit: str | None = None
    """`0`…`255`, `signal TERM`, or why it ended without either."""
    ledger: Ledger = Ledger()


@dataclass(frozen=True, slots=True)
class Held:
    """Input of a channel without a terminal that waits for the end of a pause."""

    channel: int
    size: int
    """Bytes that are known of; more may wait at the client."""


@dataclass(frozen=True, slots=True)
class Session:
    """One authenticated SSH connection that names an account@target."""

    id: SessionId
    state: SessionState
    operator: str
    account: AccountRef
    started_at: datetime
    ended_at: datetime | None = None
    grant: GrantId | None = None
    worker: WorkerId | None = None
    client: str = ""
    """Where the operator came from, `address:port`, and the client's version."""
    request: str | None = None
    ticket: str | None = None
    reason: str | None = None
    """Why access was asked for."""
    end_reason: str | None = None
    ended_by: str | None = None
    paused_by: str | None = None
    paused_at: datetime | None = None
    output_bytes: int = 0
    input_bytes: int = 0
    activity: tuple[int, ...] = ()
    """Output bytes in each of the last 12 spans of 5 s, oldest first."""
    last_line: str = ""
    """The last line on the screen that is not blank, as text (already visible)."""
    channels: tuple[Channel, ...] = ()
    watchers: tuple[str, ...] = ()
    attention: str | None = None
    """Why somebody should look: `unwatched pause`, `recording failed`…"""
    held: tuple[Held, ...] = ()
    """While paused: the channels whose input waits."""


class Outcome(StrEnum):
    """What became of a directive."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a receipt. `ms` counts from the request; None is not yet."""

    name: str
    ms: float | None
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The evidence for what a directive did."""

    steps: tuple[Step, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Directive:
    """A supervisor's order as stored and delivered; the row is the truth, the bell only a hint."""

    id: DirectiveId
    session: SessionId
    verb: Verb
    actor: str
    requested_at: datetime
    reason: str = ""
    text: str = ""
    """What a warning says."""
    hold: str = ""
    """Of a pause: names the lease by which somebody holds it; empty when nobody does."""
    close_held: bool = False
    """Of a resume: close the channels whose input waits, instead of passing it on."""
    outcome: Outcome = Outcome.PENDING
    claimed_by: WorkerId | None = None
    receipt: Receipt = Receipt()
