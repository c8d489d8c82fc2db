"""What the operator sends on a channel: recorded, then given to the target, if the gate is open."""

from __future__ import annotations

import asyncio
from collections import deque

from asyncssh.channel import SSHChannel

from psm_console.domain.live import Gate

from ..ssh.unsent import unread_by_us, withdraw_unsent
from .halves import give
from .live_channel import LiveChannel
from .valve import Valve


class InputSide:
    """The bytes of one channel on their way from the operator to the target."""

    def __init__(self, channel: LiveChannel) -> None:
        self._channel = channel
        self._session = channel.session
        self.valve = Valve()
        """Reading of the operator's half."""
        self.discarded = 0
        """Bytes thrown away in the pause that is on."""
        self._early: deque[bytes] = deque()
        self._taken_back: deque[bytes] = deque()
        """Recorded input of a pipe that a pause took out of asyncssh's hands again."""
        self._eof = False
        self._closed = False

    def hold_until_target(self, operator: SSHChannel[bytes]) -> None:
        """Leave what `operator` sends unread until the target's half is open."""
        self.valve.hold("target not open")
        # asyncssh resumes reading right after this callback, so the hold must come after that.
        asyncio.get_running_loop().call_soon(self.valve.attach, operator)

    def target_opened(self) -> None:
        """Pass on what the client sent early, and read it again."""
        self.flush()
        self.valve.release("target not open")

    def sent(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._closed:
            return
        if not self._channel.pty:
            self._admit(data)
            return
        match self._session.live.input_gate(pty=True):
            case Gate.DISCARD:
                self._discard(len(data))
            case Gate.SHUT:
                pass
            case _:
                self._admit(data)

    def _admit(self, data: bytes) -> None:
        channel = self._channel
        gate = self._session.live.input_gate(channel.pty)
        if gate is Gate.FORWARD and channel.target is not None and not self._early:
            self._to_target(data)
        elif gate is not Gate.SHUT:
            self._early.append(data)

    def ended(self) -> None:
        """The client will send no more."""
        self._eof = True
        self._pass_eof()

    def closed(self) -> None:
        """The channel is gone or about to be: what waits, and what still comes, goes nowhere."""
        self._closed = True
        self._early.clear()
        self._taken_back.clear()

    def waiting(self) -> int:
        """Return how many bytes of a pipe wait here for the end of a pause."""
        operator = self._channel.operator
        if self._channel.pty or operator is None:
            return 0
        unread = unread_by_us(operator)
        return unread + sum(map(len, self._early)) + sum(map(len, self._taken_back))

    def hold(self) -> None:
        """Stop the operator's input at once; what no wire has taken yet is taken back."""
        channel = self._channel
        if not channel.pty:
            self.valve.hold("paused")
        if channel.target is not None:
            taken, ended = withdraw_unsent(channel.target)
            self._taken_back.extend(taken)
            self._eof = self._eof or ended
        if channel.pty:
            self._discard(sum(map(len, self._taken_back)) + sum(map(len, self._early)))
            self._taken_back.clear()
            self._early.clear()
            # Typing must be read to be thrown away: what is left unread would run on resume.
            self.valve.drain(True)

    def release(self) -> None:
        """Let the operator's input pass again."""
        self.discarded = 0
        self.flush()
        self.valve.drain(False)
        self.valve.release("paused")
        self._pass_eof()

    def flush(self) -> None:
        """Pass on what waits, as far as the gate lets it."""
        channel, live = self._channel, self._session.live
        if live.input_gate(channel.pty) is not Gate.FORWARD:
            return
        while self._taken_back and channel.target is not None:
            give(channel.target, self._taken_back.popleft())
        while self._early and channel.target is not None:
            if live.input_gate(channel.pty) is not Gate.FORWARD:
                return
            self._to_target(self._early.popleft())
        self._pass_eof()

    def _to_target(self, data: bytes) -> None:
        channel, session = self._channel, self._session
        if channel.recorder is None or channel.target is None:
            return
        at = session.at()
        data = channel.passage.asked(data)
        if not session.recording().took(channel.recorder.input, at, data):
            return
        channel.input_bytes += len(data)
        give(channel.target, data)
        session.live.input_received(at)

    def _discard(self, count: int) -> None:
        recorder = self._channel.recorder
        if count and recorder is not None:
            self.discarded += count
            with self._session.recording():
                recorder.discarded(count)

    def _pass_eof(self) -> None:
        target = self._channel.target
        open_gate = self._session.live.input_gate(self._channel.pty) is Gate.FORWARD
        waiting = self._early or self._taken_back
        if self._eof and open_gate and not waiting and target is not None:
            self._eof = False
            target.write_eof()
