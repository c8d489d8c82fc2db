"""One forward: a connection that the target makes for the operator's client.

The target's half opens first, so that a client hears from SSH itself what could not be reached.
"""

from __future__ import annotations

import asyncio
import logging
from typing import assert_never

import asyncssh
from asyncssh.channel import SSHChannel

from psm_console.domain.effects import NoticeKind
from psm_console.domain.forwards import ForwardAsked, SocketDestination, TcpDestination
from psm_console.domain.live import Gate
from psm_console.domain.text import visible
from psm_console.recording.forward_recorder import ForwardRecorder

from ..ssh import algorithms
from .coupling import Coupling
from .forward_halves import TargetForwardHalf
from .live_channel import ChannelSession

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 15.0
"""How long a target may take to reach a destination."""
_NOT_OPEN = "operator not open"


class NotForwardedError(Exception):
    """A forward does not open; the text is a sentence for the operator."""

    def __init__(self, sentence: str, *, forbidden: bool) -> None:
        super().__init__(sentence)
        self.forbidden = forbidden
        """Whether the broker refused it, and not the target."""


class ForwardRelay(Coupling):
    """A forward of a live session, from the client's request until both halves are closed."""

    def __init__(self, session: ChannelSession, number: int, asked: ForwardAsked) -> None:
        super().__init__(session, number, lambda rows_less: None)
        self._asked = asked
        self.request.take_forward(asked)
        self._operator_due = False
        self._target_eof = False
        self._ended = False

    async def open(self) -> None:
        """Ask the gate, and have the target connect; raise `NotForwardedError`."""
        refusal = self._session.ask(self.channel, "forward")
        recorder = self.channel.recorder
        if refusal is None and not isinstance(recorder, ForwardRecorder):
            refusal = "the recording failed"
        if refusal is not None:
            self._close()
            raise NotForwardedError(refusal, forbidden=True)
        assert isinstance(recorder, ForwardRecorder)
        self.output.valve.hold(_NOT_OPEN)
        failure = await self._reach()
        over = self._ended or self._session.live.output_gate() is Gate.SHUT
        if failure is None and over:
            failure = "the session is over"
        if not over:
            with self._session.recording():
                recorder.opened(self._session.at(), failure or "open")
        if failure is not None:
            if self.channel.target is not None:
                self.channel.target.abort()
            self._close()
            raise NotForwardedError(failure, forbidden=False)
        self._operator_due = True

    async def _reach(self) -> str | None:
        """Have the target connect; return why it did not."""
        asked = self._asked.destination
        # Not cancelled when it is late: asyncssh would leave the channel open behind our back.
        connecting = asyncio.ensure_future(self._connect())
        done, _ = await asyncio.wait({connecting}, timeout=OPEN_TIMEOUT_S)
        if not done:
            connecting.add_done_callback(lambda late: late.cancelled() or late.exception())
            return f"the target did not reach {asked} within {OPEN_TIMEOUT_S:g} s"
        try:
            connecting.result()
        except (asyncssh.Error, OSError) as error:
            return f"the target did not reach {asked}: {visible(str(error), 200)}"
        except Exception:
            log.exception("%s: channel %d", self._session.session.id, self.channel.number)
            return "the target's answer was not understood"
        return None

    async def _connect(self) -> None:
        connection = self._session.target
        if connection is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "no target")
        match self._asked.destination:
            case TcpDestination(host, port):
                await connection.create_connection(
                    lambda: TargetForwardHalf(self),
                    host,
                    port,
                    # Who connects is the broker; the client's own word is in the recording.
                    "127.0.0.1",
                    0,
                    encoding=None,
                    window=algorithms.WINDOW,
                )
            case SocketDestination(path):
                await connection.create_unix_connection(
                    lambda: TargetForwardHalf(self),  # type: ignore[arg-type, return-value]
                    path,
                    encoding=None,
                    window=algorithms.WINDOW,
                )
            case other:
                assert_never(other)

    # The operator's half

    def operator_opened(self, half: SSHChannel[bytes]) -> None:
        """The client's half is open: what the target has said so far may go on."""
        self._operator_due = False
        self.channel.operator = half
        # asyncssh resumes reading right after this callback, so a hold must come after that.
        asyncio.get_running_loop().call_soon(self._start, half)

    def _start(self, half: SSHChannel[bytes]) -> None:
        if self.channel.operator is None:
            return
        if self._ended:
            half.abort()
            return
        self.input.valve.attach(half)
        self.heed_wires()
        self.output.valve.release(_NOT_OPEN)
        if self._target_done:
            self._finish()

    # The target's half

    def target_opened(self, half: SSHChannel[bytes]) -> None:
        """The target's half is open; it is read once the client's is."""
        if self.closed.is_set():
            half.abort()
            return
        self.channel.target = half
        self.output.valve.attach(half)

    def target_ended(self) -> None:
        """The target will send no more; the operator may."""
        self._target_eof = True
        self._pass_target_eof()

    def _pass_target_eof(self) -> None:
        operator = self.channel.operator
        if self._target_eof and operator is not None and not self._withholds:
            self._target_eof = False
            operator.write_eof()

    def _finish(self) -> None:
        if self._withholds or self._operator_due:
            return
        if self.channel.operator is None:
            self._close()
        else:
            self.channel.operator.close()

    # What the driver orders

    def deliver(self) -> None:
        """Send what was withheld, in order, and read the target again."""
        self.output.deliver()
        self._pass_target_eof()
        if self._target_done:
            self._finish()

    def announce(self, kind: NoticeKind, by: str, text: str) -> None:
        """Say nothing: whatever were put among its bytes would be taken for the target's."""

    def hang_up(self, text: str | None, status: int) -> None:
        """End both halves at once; a forward has no place for words."""
        self._ended = True
        self.input.closed()
        self.output.close()
        for half in (self.channel.target, self.channel.operator):
            if half is not None:
                half.abort()
