"""What happened to a live session. `at` is seconds since it began; the driver has the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .forwards import ForwardAsked
from .names import DirectiveId
from .session import Held, Step, Verb

Leg = Literal["operator", "target"]


@dataclass(frozen=True, slots=True)
class TargetOpened:
    """The target leg is authenticated."""

    at: float


@dataclass(frozen=True, slots=True)
class TargetRefused:
    """The target leg could not be opened."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelAsked:
    """The operator's client wants a channel of `kind` (as SSH names it, so anything at all)."""

    at: float
    channel: int
    kind: str
    forward: ForwardAsked | None = None
    """Of a forward: where to, and what the inventory says about it at that moment."""


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """A channel is closed on both legs."""

    at: float
    channel: int


@dataclass(frozen=True, slots=True)
class Directed:
    """A supervisor gave an order about this session."""

    at: float
    directive: DirectiveId
    verb: Verb
    by: str
    reason: str = ""
    text: str = ""
    hold: str = ""
    """Of a pause: the lease by which it is held."""
    close_held: bool = False
    """Of a resume: end the channels in `held` instead of passing their input on."""
    held: tuple[Held, ...] = ()
    """What waits for the end of a pause, as the order came."""


@dataclass(frozen=True, slots=True)
class HoldRenewed:
    """Whoever holds the pause has said so again."""

    at: float
    hold: str


@dataclass(frozen=True, slots=True)
class HoldReleased:
    """Whoever held the pause does so no longer, and said it."""

    at: float
    hold: str


@dataclass(frozen=True, slots=True)
class WatchRenewed:
    """Somebody who may supervise this session has said again that they watch it."""

    at: float
    watch: str
    by: str


@dataclass(frozen=True, slots=True)
class WatchReleased:
    """A window in which the session was watched is closed, or may no longer supervise it."""

    at: float
    watch: str


@dataclass(frozen=True, slots=True)
class ChannelFaulted:
    """What passes on a channel can not be followed any more, or must not pass; and why."""

    at: float
    channel: int
    detail: str
    attention: str = ""
    """Why somebody should look at the session; empty when nobody need."""


@dataclass(frozen=True, slots=True)
class ChannelFlagged:
    """Something passes on a channel that somebody should know of."""

    at: float
    channel: int
    detail: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """A deadline that the session asked for has come."""

    at: float


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A leg's SSH connection closed; `detail` says how, where that is known."""

    at: float
    leg: Leg
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RecorderFailed:
    """Evidence could not be written."""

    at: float
    detail: str


@dataclass(frozen=True, slots=True)
class Draining:
    """The broker is being replaced: the session goes on for `left_s` seconds at most."""

    at: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The broker is stopping."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The hang-up is complete: both legs closed, the recording sealed; or what of it failed."""

    at: float
    steps: tuple[Step, ...] = ()
    digest: str | None = None
    """The closed recording's final digest, when it could be sealed."""


Event = (
    TargetOpened
    | TargetRefused
    | ChannelAsked
    | ChannelClosed
    | ChannelFaulted
    | ChannelFlagged
    | Directed
    | HoldRenewed
    | HoldReleased
    | WatchRenewed
    | WatchReleased
    | Ticked
    | ConnectionLost
    | RecorderFailed
    | Draining
    | Stopped
    | Finished
)
