"""One channel and its two halves: every byte is recorded, then forwarded, if the gate is open.

The law of this file: nothing is written to either half before the recorder returned, and nothing
but the driver decides what the gate says.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

import asyncssh

from psm_console.domain.effects import NoticeKind
from psm_console.domain.live import Gate
from psm_console.domain.session import ChannelKind, Size
from psm_console.domain.text import visible

from . import notices
from .announcer import Announcer
from .channel_request import ChannelRequest
from .halves import STDERR, TargetHalf, give
from .pace import Pace
from .passage import Passage
from .tracker import TerminalTracker
from .unsent import close_now, has_left, kill, withdraw_unsent
from .valve import Valve
from .withheld import Withheld

if TYPE_CHECKING:
    from psm_console.recording.channel import ChannelRecorder

    from .driver import SessionDriver


log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 15.0
"""How long a target may take to open a channel and start what was asked for."""
_RESIZE_S = 0.06
"""Between two sizes that are passed on: a recorder keeps one in 50 ms, and what it does not keep
would be a way to send the target something unseen."""
CLOSE_S = 5.0
"""How long a target may take to close a channel that the operator has left."""


class Relay:
    """A channel of a live session, from the client's request until both halves are closed."""

    def __init__(self, driver: SessionDriver, number: int) -> None:
        self.driver = driver
        self.number = number
        self.request = ChannelRequest()
        self.kind: ChannelKind | None = None
        self.recorder: ChannelRecorder | None = None
        self.passage = Passage()
        self.operator: asyncssh.SSHServerChannel[bytes] | None = None
        self.target: asyncssh.SSHClientChannel[bytes] | None = None
        self.closed = asyncio.Event()
        self.output_bytes = 0
        self.input_bytes = 0
        self.discarded = 0
        self._operator_valve = Valve()
        self._target_valve = Valve()
        self._early: deque[bytes] = deque()
        self._taken_back: deque[bytes] = deque()
        """Recorded input of a pipe that a pause took out of asyncssh's hands again."""
        self.withheld = Withheld()
        self._left_at: float | None = None
        self._eof = False
        self._target_done = False
        self._exit: tuple[int | None, str | None] = (None, None)
        self._exit_passed = False
        self._sizes = Pace(self._pass_size, _RESIZE_S)
        self._tracker = TerminalTracker()
        self._announcer = Announcer(self._tracker, self._write, self._repaint)

    @property
    def pty(self) -> bool:
        """Whether the client asked for a terminal."""
        return self.request.size is not None

    @property
    def exit_text(self) -> str | None:
        """How the program ended: its status, `signal NAME`, or None when the target never said."""
        return notices.exit_text(*self._exit)

    # The operator's half

    def operator_opened(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        """The client's channel is open; what it is for comes next."""
        self.operator = channel

    def start(self) -> None:
        """The client's request was granted: record, and open the target's half."""
        assert self.operator is not None
        self._operator_valve.hold("target not open")
        # asyncssh resumes reading right after this callback, so the hold must come after that.
        asyncio.get_running_loop().call_soon(self._operator_valve.attach, self.operator)
        self.driver.spawn(self._open_target(), f"open channel {self.number}")

    def refuse(self, reason: str) -> None:
        """Tell the client on stderr why there is nothing here, and close."""
        if self.operator is not None:
            self._write(notices.plain(reason), STDERR)
            self.operator.exit(1)

    def operator_sent(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self.pty:
            self._admit(data)
            return
        match self.driver.live.input_gate(pty=True):
            case Gate.DISCARD:
                self._discard(len(data))
            case Gate.SHUT:
                pass
            case _:
                self._admit(data)

    def _admit(self, data: bytes) -> None:
        gate = self.driver.live.input_gate(self.pty)
        if gate is Gate.FORWARD and self.target is not None and not self._early:
            self._to_target(data)
        elif gate is not Gate.SHUT:
            self._early.append(data)

    def operator_ended(self) -> None:
        """The client will send no more."""
        self._eof = True
        self._pass_eof()

    def operator_resized(self, size: Size) -> None:
        """The client's window changed; a pause does not stop that."""
        if self.pty:
            self.request.size = size
            self._sizes.ask()

    def _pass_size(self) -> None:
        size = self.request.size
        if size is None or self.recorder is None:
            return
        with self.driver.recording() as recorded:
            self.recorder.resize(self.driver.at(), size)
        if recorded and self.target is not None:
            self.target.change_terminal_size(size.columns, size.rows)

    def operator_signalled(self, signal: str) -> None:
        """The client sent a signal; while paused it is discarded like what is typed."""
        if self._take_note(f"signal {visible(signal, 32)}") and self.target is not None:
            self.target.send_signal(signal)

    def operator_broke(self, milliseconds: int) -> bool:
        """The client sent a break."""
        if not self._take_note(f"break of {milliseconds} ms") or self.target is None:
            return False
        self.target.send_break(milliseconds)
        return True

    def _take_note(self, what: str) -> bool:
        """Record what the operator's client sends beside the data; whether it may pass."""
        gate = self.driver.live.input_gate(self.pty)
        if gate is not Gate.FORWARD or self.target is None or self.recorder is None:
            return False
        with self.driver.recording() as recorded:
            self.recorder.mark(self.driver.at(), what)
        return bool(recorded)

    def operator_closed(self) -> None:
        """The client's channel is gone."""
        self.operator = None
        self._early.clear()
        self._taken_back.clear()
        self.withheld.clear()
        self._announcer.close()
        if self.target is not None:
            self.target.close()
            asyncio.get_running_loop().call_later(CLOSE_S, self._close_late)
        elif self._target_done or self.kind is None:
            self._close()

    def tick(self, at: float) -> None:
        """Give up a client that closed the channel behind input that the target does not take."""
        if self.operator is None or not has_left(self.operator):
            self._left_at = None
        elif self._left_at is None:
            self._left_at = at
        elif at - self._left_at >= CLOSE_S and self.driver.live.input_gate(False) is Gate.FORWARD:
            self.operator.abort()

    def _close_late(self) -> None:
        """Give up a target that takes neither its input nor the end of it."""
        if not self.closed.is_set():
            if self.target is not None:
                close_now(self.target)
            self._close()

    def operator_full(self) -> None:
        """The client reads too slowly: leave the target's output in its window."""
        self._target_valve.hold("operator slow")
        if self.passage.answers:
            # More requests would only make more answers for it to read.
            self._operator_valve.hold("operator slow")

    def operator_drained(self) -> None:
        """The client reads again."""
        self._target_valve.release("operator slow")
        self._operator_valve.release("operator slow")

    # The target's half

    async def _open_target(self) -> None:
        connection = self.driver.target
        try:
            if connection is None:
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "no target")
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self.request.open_on(
                    connection, lambda: TargetHalf(self), self.driver.policy.environment
                )
        except TimeoutError:
            self._not_opened(f"the target did not answer within {OPEN_TIMEOUT_S:g} s")
        except (asyncssh.Error, OSError) as error:
            self._not_opened(f"the target refused the channel: {visible(str(error), 200)}")
        except Exception:
            log.exception("%s: channel %d", self.driver.session.id, self.number)
            self._not_opened("the target's answer was not understood")

    def _not_opened(self, why: str) -> None:
        self._target_done = True
        if self.operator is None:
            self._close()
            return
        self._write(notices.plain(why), STDERR)
        self._exit = (255, None)
        self._finish()

    def target_opened(self, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        """The target's half is open: what the client sent early may go on."""
        if self.operator is None or self.driver.live.output_gate() is Gate.SHUT:
            self.target = channel
            channel.abort()
            return
        self.target = channel
        self._target_valve.attach(channel)
        self.heed_wires()
        if self.pty:
            # It may have changed while the target was asked for the old one.
            self._sizes.ask()
        self._flush_early()
        self._operator_valve.release("target not open")

    def target_sent(self, data: bytes, datatype: int | None) -> None:
        """Bytes from the target: recorded, then forwarded or withheld."""
        gate = self.driver.live.output_gate()
        if gate is Gate.SHUT or self.recorder is None:
            return
        if datatype is None:
            data = self.passage.said(data)
        at = self.driver.at()
        with self.driver.recording() as recorded:
            if datatype == STDERR:
                self.recorder.error(at, data)
            else:
                self.recorder.output(at, data)
        if not recorded:
            return
        self.output_bytes += len(data)
        self.driver.output_seen(at, len(data))
        if gate is Gate.FORWARD:
            self._to_operator(data, datatype)
        else:
            self._withhold(data, datatype)

    def target_exited(self, status: int | None, signal: str | None) -> None:
        """The program on the target is over; the client hears it after the last byte."""
        self._exit = (status, signal)

    def target_closed(self, broken: bool) -> None:
        """The target's half is closed and every byte of it was delivered here.

        When its whole connection is `broken`, the session ends and says so: nothing to pass on.
        """
        self.target = None
        self._target_done = True
        if not broken:
            self._finish()
        elif self.operator is None:
            self._close()

    def target_full(self) -> None:
        """The target reads too slowly: leave the client's input in its window."""
        self._operator_valve.hold("target slow")

    def target_drained(self) -> None:
        """The target reads again."""
        self._operator_valve.release("target slow")

    def heed_wires(self) -> None:
        """Read a leg only while the connection of the other takes bytes."""
        full = self.driver.full_wires
        (self._target_valve.hold if "operator" in full else self._target_valve.release)("wire")
        deaf = full if self.passage.answers else full - {"operator"}
        (self._operator_valve.hold if deaf else self._operator_valve.release)("wire")

    # What the driver orders

    def hold_input(self) -> None:
        """Stop the operator's input at once; what no wire has taken yet is taken back."""
        if not self.pty:
            self._operator_valve.hold("paused")
        if self.target is not None:
            taken, ended = withdraw_unsent(self.target)
            self._taken_back.extend(taken)
            self._eof = self._eof or ended
        if self.pty:
            self._discard(sum(map(len, self._taken_back)) + sum(map(len, self._early)))
            self._taken_back.clear()
            self._early.clear()
            # Typing must be read to be thrown away: what is left unread would run on resume.
            self._operator_valve.drain(True)

    def release_input(self) -> None:
        """Let the operator's input pass again."""
        self.discarded = 0
        self._flush_early()
        self._operator_valve.drain(False)
        self._operator_valve.release("paused")
        self._pass_eof()

    def deliver(self) -> None:
        """Send what was withheld, in order, and read the target again."""
        for data, datatype in self.withheld.take():
            self._to_operator(data, datatype)
        self._target_valve.release("withheld")
        if self._target_done:
            self._finish()

    def announce(self, kind: NoticeKind, by: str, text: str) -> None:
        """Tell the operator, at the next safe point of the output."""
        if self.operator is None or self.kind is None:
            return
        said = notices.sentence(kind, by, text, pty=self.pty, discarded=self.discarded)
        if self.pty:
            columns = self.request.size.columns if self.request.size else 80
            self._announcer.say(said, columns, stays=kind is NoticeKind.PAUSE)
        else:
            self._write(notices.plain(said), STDERR)

    def hang_up(self, text: str | None, status: int) -> None:
        """End both halves; the operator reads `text`, and the client gets `status`."""
        self._announcer.close()
        self.withheld.clear()
        if self.target is not None:
            kill(self.target)
        if self.operator is None:
            return
        if self.kind is None:
            self.operator.abort()
            return
        if text is not None:
            said = notices.final(text, pty=self.pty)
            self._write(said, None if self.pty else STDERR)
        self.operator.exit(status)

    # Between the halves

    def _to_target(self, data: bytes) -> None:
        if self.recorder is None or self.target is None:
            return
        at = self.driver.at()
        data = self.passage.asked(data)
        with self.driver.recording() as recorded:
            self.recorder.input(at, data)
        if not recorded:
            return
        self.input_bytes += len(data)
        self.driver.live.input_received(at)
        give(self.target, data)

    def _to_operator(self, data: bytes, datatype: int | None) -> None:
        self._write(data, datatype)
        if self.pty:
            self._tracker.observe(data)
            self._announcer.try_now()

    def _write(self, data: bytes, datatype: int | None = None) -> None:
        if self.operator is not None:
            give(self.operator, data, datatype)

    def _withhold(self, data: bytes, datatype: int | None) -> None:
        self.withheld.add(data, datatype)
        if self.withheld.size >= self.driver.policy.limits.withheld_bytes:
            self._target_valve.hold("withheld")

    def _discard(self, count: int) -> None:
        if count and self.recorder is not None:
            self.discarded += count
            with self.driver.recording():
                self.recorder.discarded(count)

    def _flush_early(self) -> None:
        if self.driver.live.input_gate(self.pty) is not Gate.FORWARD:
            return
        while self._taken_back and self.target is not None:
            give(self.target, self._taken_back.popleft())
        while self._early and self.target is not None:
            if self.driver.live.input_gate(self.pty) is not Gate.FORWARD:
                return
            self._to_target(self._early.popleft())
        self._pass_eof()

    def _pass_eof(self) -> None:
        open_gate = self.driver.live.input_gate(self.pty) is Gate.FORWARD
        waiting = self._early or self._taken_back
        if self._eof and open_gate and not waiting and self.target is not None:
            self._eof = False
            self.target.write_eof()

    def _repaint(self, rows_less: int) -> None:
        size = self.request.size
        if self.target is not None and size is not None and size.rows > 1:
            self.target.change_terminal_size(size.columns, size.rows - rows_less)

    def _finish(self) -> None:
        """Pass the exit on once the operator has every byte; a pause keeps it back too."""
        if self._exit_passed or self.withheld or self.driver.live.output_gate() is Gate.WITHHOLD:
            return
        self._exit_passed = True
        status, signal = self._exit
        if self.recorder is not None:
            with self.driver.recording():
                self.recorder.exit(self.driver.at(), status, signal)
        operator = self.operator
        if operator is None:
            self._close()
        elif signal is not None:
            operator.exit_with_signal(signal)
        elif status is not None:
            operator.exit(status)
        else:
            operator.close()

    def _close(self) -> None:
        if not self.closed.is_set():
            self._sizes.close()
            self.closed.set()
            self.driver.channel_closed(self)
