"""A forward between its two halves: its first bytes are looked at, and an inner SSH is stopped.

Nothing is held back to be looked at: a server that answers one byte (PostgreSQL says `S`) would
wait for ever. What passes of an inner SSH before it is known is `SSH`, which is of no use.
"""

from __future__ import annotations

import asyncio

from psm_console.domain.events import ChannelFaulted, ChannelFlagged
from psm_console.domain.policy import InnerSsh
from psm_console.domain.sniffing import Sniffer
from psm_console.recording.forward_log import Side
from psm_console.recording.forward_recorder import ForwardRecorder

from .live_channel import LiveChannel
from .passage import Passage

_ENOUGH = 8
"""First bytes of a side that are worth a line; fewer get theirs at the end."""
REFUSED = "an SSH connection was begun inside this forward, and that is refused"
FLAGGED = "an SSH connection was begun inside a forward; what it does is not seen"


class ForwardPassage(Passage):
    """Lets everything by but an inner SSH, unless policy only flags that."""

    def __init__(self, channel: LiveChannel, recorder: ForwardRecorder, policy: InnerSsh) -> None:
        self._channel = channel
        self._session = channel.session
        self._recorder = recorder
        self._policy = policy
        self._sniffer = Sniffer()
        self._told: set[Side] = set()
        self._known_ssh = False
        self._shut = False
        recorder.unsaid = self._unsaid

    def asked(self, data: bytes) -> bytes:
        """Take bytes from the operator; return what may go to the target."""
        if self._sniffer.send(data):
            self._learned("operator", self._sniffer.sent)
        return b"" if self._shut else data

    def said(self, data: bytes) -> bytes:
        """Take bytes from the target; return what may go to the operator."""
        if self._sniffer.say(data):
            self._learned("target", self._sniffer.said)
        return b"" if self._shut else data

    def _learned(self, side: Side, head: bytes) -> None:
        self._recorder.protocol = self._sniffer.protocol
        inner = self._sniffer.inner_ssh and not self._known_ssh
        if side not in self._told and (inner or len(head) >= _ENOUGH):
            self._told.add(side)
            with self._session.recording():
                self._recorder.first(self._session.at(), side, head)
        if inner:
            self._known_ssh = True
            self._inner_ssh()

    def _inner_ssh(self) -> None:
        session, number = self._session, self._channel.number
        at = session.at()
        event: ChannelFaulted | ChannelFlagged
        if self._policy is InnerSsh.REFUSE:
            self._shut = True
            event = ChannelFaulted(at, number, REFUSED, attention=REFUSED)
        else:
            event = ChannelFlagged(at, number, FLAGGED)
        with session.recording():
            self._recorder.mark(at, event.detail, "fault" if self._shut else "flag")
        # Once the callback that brought the bytes has returned.
        asyncio.get_running_loop().call_soon(session.handle, event)

    def _unsaid(self) -> list[tuple[Side, bytes]]:
        """Return the beginnings that have no line yet."""
        heads: list[tuple[Side, bytes]] = [
            ("operator", self._sniffer.sent),
            ("target", self._sniffer.said),
        ]
        return [(side, head) for side, head in heads if head and side not in self._told]
