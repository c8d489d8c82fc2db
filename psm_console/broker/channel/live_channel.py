"""One open channel as its parts share it, and what they need of the session that it belongs to."""

from __future__ import annotations

from collections.abc import Coroutine, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncssh
from asyncssh.channel import SSHChannel

from psm_console.domain.events import Event, Leg
from psm_console.domain.live import LiveSession
from psm_console.domain.policy import Policy
from psm_console.domain.session import ChannelKind, Session
from psm_console.recording.channel import ChannelRecorder

from ..notice import notices
from .channel_request import ChannelRequest
from .guard import RecordingGuard
from .passage import Passage


class ChannelSession(Protocol):
    """What a channel needs of its session; the driver has it."""

    @property
    def session(self) -> Session:
        """The session as it began."""

    @property
    def live(self) -> LiveSession:
        """Decides what passes."""

    @property
    def policy(self) -> Policy:
        """What holds for this session."""

    @property
    def target(self) -> asyncssh.SSHClientConnection | None:
        """The target leg, once it is open."""

    @property
    def full_wires(self) -> Set[Leg]:
        """The legs whose connection takes nothing more at the moment."""

    def at(self) -> float:
        """Seconds since the session began, on the monotonic clock."""

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str) -> None:
        """Run `coroutine` beside the session."""

    def recording(self) -> RecordingGuard:
        """Guard a call to the recorder: fail closed."""

    def handle(self, event: Event) -> None:
        """Have the session decide about `event`, and do what it says."""

    def ask(self, channel: LiveChannel, kind: str) -> str | None:
        """Put a channel's request to the gate; return why it is refused, None when it is not.

        What is granted has its recorder, unless that failed: then the session is ending.
        """

    def output_seen(self, at: float, count: int) -> None:
        """Count recorded output, and wake who watches."""

    def channel_closed(self, channel: LiveChannel) -> None:
        """Take a channel off the session once both its halves are closed."""


@dataclass(slots=True, eq=False)
class LiveChannel:
    """A channel from the client's wish until both halves are closed; None is a half not open."""

    session: ChannelSession
    number: int
    request: ChannelRequest = field(default_factory=ChannelRequest)
    kind: ChannelKind | None = None
    """None until the gate has let it open."""
    waits: str = ""
    """Why the target's half opens only with the next resume; empty when it need not wait."""
    recorder: ChannelRecorder | None = None
    passage: Passage = field(default_factory=Passage)
    operator: SSHChannel[bytes] | None = None
    target: SSHChannel[bytes] | None = None
    output_bytes: int = 0
    input_bytes: int = 0
    exit: tuple[int | None, str | None] = (None, None)
    """The program's status, or the signal that ended it; neither when the target never said."""

    @property
    def pty(self) -> bool:
        """Whether the client asked for a terminal."""
        return self.request.size is not None

    @property
    def exit_text(self) -> str | None:
        """How the program ended: its status, `signal NAME`, or None when the target never said."""
        return notices.exit_text(*self.exit)
