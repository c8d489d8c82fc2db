"""The two halves of a channel, coupled: what holds for every kind of channel.

The law of this file and of the two sides: nothing is written to either half before the recorder
returned, and nothing but the driver decides what the gate says.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from psm_console.domain.effects import NoticeKind
from psm_console.domain.live import Gate

from ..happening import Happening
from ..ssh.unsent import close_now, has_left
from .input_side import InputSide
from .live_channel import ChannelSession, LiveChannel
from .output_side import OutputSide

CLOSE_S = 5.0
"""How long a target may take to close a channel that the operator has left."""


class Coupling(ABC):
    """A channel of a live session, until both its halves are closed."""

    def __init__(
        self, session: ChannelSession, number: int, repaint: Callable[[int], None]
    ) -> None:
        self._session = session
        self.channel = LiveChannel(session, number)
        self.request = self.channel.request
        self.input = InputSide(self.channel)
        self.output = OutputSide(self.channel, repaint)
        self.closed = Happening()
        self._left_at: float | None = None
        self._target_done = False

    # The operator's half

    def operator_closed(self) -> None:
        """The client's channel is gone."""
        channel = self.channel
        channel.operator = None
        self.input.closed()
        self.output.close()
        if channel.target is not None:
            channel.target.close()
            asyncio.get_running_loop().call_later(CLOSE_S, self._close_late)
        elif self._target_done or channel.kind is None:
            self._close()

    def _close_late(self) -> None:
        """Give up a target that takes neither its input nor the end of it."""
        if not self.closed.is_set():
            if self.channel.target is not None:
                close_now(self.channel.target)
            self._close()

    def operator_full(self) -> None:
        """The client reads too slowly: leave the target's output in its window."""
        self.output.valve.hold("operator slow")
        if self.channel.passage.answers:
            # More requests would only make more answers for it to read.
            self.input.valve.hold("operator slow")

    def operator_drained(self) -> None:
        """The client reads again."""
        self.output.valve.release("operator slow")
        self.input.valve.release("operator slow")

    # The target's half

    def target_full(self) -> None:
        """The target reads too slowly: leave the client's input in its window."""
        self.input.valve.hold("target slow")

    def target_drained(self) -> None:
        """The target reads again."""
        self.input.valve.release("target slow")

    def target_closed(self, broken: bool) -> None:
        """The target's half is closed and every byte of it was delivered here.

        When its whole connection is `broken`, the session ends and says so: nothing to pass on.
        """
        self.channel.target = None
        self._target_done = True
        if not broken:
            self._finish()
        elif self.channel.operator is None:
            self._close()

    @abstractmethod
    def _finish(self) -> None:
        """Pass the end on, once the operator has every byte."""

    @property
    def _withholds(self) -> bool:
        """Whether a pause keeps back what the operator has yet to get, the end included."""
        gate = self._session.live.output_gate()
        return bool(self.output.withheld) or gate is Gate.WITHHOLD

    # What the driver orders

    def tick(self, at: float) -> None:
        """Give up a client that closed the channel behind input that the target does not take.

        What a pause holds has its time from the resume on.
        """
        operator, gate = self.channel.operator, self._session.live.input_gate(pty=False)
        if operator is None or gate is not Gate.FORWARD or not has_left(operator):
            self._left_at = None
        elif self._left_at is None:
            self._left_at = at
        elif at - self._left_at >= CLOSE_S:
            operator.abort()

    def heed_wires(self) -> None:
        """Read a leg only while the connection of the other takes bytes."""
        full, output, given = self._session.full_wires, self.output.valve, self.input.valve
        (output.hold if "operator" in full else output.release)("wire")
        deaf = full if self.channel.passage.answers else full - {"operator"}
        (given.hold if deaf else given.release)("wire")

    def hold_input(self) -> None:
        """Stop the operator's input at once."""
        self.input.hold()

    def release_input(self) -> None:
        """Let the operator's input pass again."""
        self.input.release()

    def deliver(self) -> None:
        """Send what was withheld, in order, and read the target again."""
        self.output.deliver()
        if self._target_done:
            self._finish()

    @abstractmethod
    def announce(self, kind: NoticeKind, by: str, text: str) -> None:
        """Tell the operator, where there is a way to."""

    @abstractmethod
    def hang_up(self, text: str | None, status: int) -> None:
        """End both halves; the operator reads `text`, and the client gets `status`, if it can."""

    def _close(self) -> None:
        if not self.closed.is_set():
            self.closed.set()
            self._session.channel_closed(self.channel)
