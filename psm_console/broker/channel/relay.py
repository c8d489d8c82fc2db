"""One session channel: a shell, a command or a subsystem on the target."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncssh

from psm_console.domain.effects import NoticeKind
from psm_console.domain.live import BROKER, Gate
from psm_console.domain.session import Size
from psm_console.domain.text import visible

from ..notice import notices
from ..ssh.unsent import kill
from .coupling import Coupling
from .halves import STDERR, TargetHalf
from .live_channel import ChannelSession
from .pace import Pace

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 15.0
"""How long a target may take to open a channel and start what was asked for."""
_RESIZE_S = 0.06
"""Between two sizes that are passed on: a recorder keeps one in 50 ms, and what it does not keep
would be a way to send the target something unseen."""


class Relay(Coupling):
    """A session channel, from the client's request until both halves are closed."""

    def __init__(self, session: ChannelSession, number: int) -> None:
        super().__init__(session, number, self._repaint)
        self._exit_passed = False
        self._sizes = Pace(self._pass_size, _RESIZE_S)

    @property
    def _client(self) -> asyncssh.SSHServerChannel[bytes] | None:
        half = self.channel.operator
        return half if isinstance(half, asyncssh.SSHServerChannel) else None

    @property
    def _program(self) -> asyncssh.SSHClientChannel[bytes] | None:
        half = self.channel.target
        return half if isinstance(half, asyncssh.SSHClientChannel) else None

    # The operator's half

    def operator_opened(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        """The client's channel is open; what it is for comes next."""
        self.channel.operator = channel

    def ask(self, kind: str) -> Callable[[], None]:
        """Put the client's request to the gate; return what to do once the client was answered."""
        refusal = self._session.ask(self.channel, kind)
        return self.start if refusal is None else lambda: self.refuse(refusal)

    def start(self) -> None:
        """The client's request was granted, and is recorded: open the target's half."""
        if self.channel.recorder is None:
            return
        assert self.channel.operator is not None
        self.input.hold_until_target(self.channel.operator)
        if self.channel.waits:
            # Nothing starts on the target before somebody watches, not even a login shell.
            self.input.hold()
            self.announce(NoticeKind.PAUSE, BROKER, self.channel.waits)
        else:
            self._begin()

    def release_input(self) -> None:
        """Let the operator's input pass again, and open what waited for that."""
        super().release_input()
        if self.channel.waits and self.channel.kind is not None:
            self.channel.waits = ""
            self._begin()

    def _begin(self) -> None:
        self._session.spawn(self._open_target(), f"open channel {self.channel.number}")

    def operator_closed(self) -> None:
        """The client's channel is gone."""
        self._wait_no_more()
        super().operator_closed()

    def _wait_no_more(self) -> None:
        """Have what waited for a resume never start: there is no other half to wait for."""
        self._target_done = self._target_done or bool(self.channel.waits)
        self.channel.waits = ""

    def refuse(self, reason: str) -> None:
        """Tell the client on stderr why there is nothing here, and close."""
        client = self._client
        if client is not None:
            self.output.write(notices.plain(reason), STDERR)
            client.exit(1)

    def operator_resized(self, size: Size) -> None:
        """The client's window changed; a pause does not stop that."""
        if self.channel.pty:
            self.request.size = size
            self._sizes.ask()

    def _pass_size(self) -> None:
        size, recorder = self.request.size, self.channel.recorder
        if size is None or recorder is None:
            return
        with self._session.recording() as recorded:
            recorder.resize(self._session.at(), size)
        program = self._program
        if recorded and program is not None:
            program.change_terminal_size(size.columns, size.rows)
        self.output.resized(size)

    def operator_signalled(self, signal: str) -> None:
        """The client sent a signal; while paused it is discarded like what is typed."""
        passes = self._take_note(f"signal {visible(signal, 32)}")
        program = self._program
        if passes and program is not None:
            program.send_signal(signal)

    def operator_broke(self, milliseconds: int) -> bool:
        """The client sent a break."""
        passes = self._take_note(f"break of {milliseconds} ms")
        program = self._program
        if not passes or program is None:
            return False
        program.send_break(milliseconds)
        return True

    def _take_note(self, what: str) -> bool:
        """Record what the operator's client sends beside the data; whether it may pass."""
        channel = self.channel
        gate = self._session.live.input_gate(channel.pty)
        if gate is not Gate.FORWARD or channel.target is None or channel.recorder is None:
            return False
        with self._session.recording() as recorded:
            channel.recorder.mark(self._session.at(), what)
        return bool(recorded)

    # The target's half

    async def _open_target(self) -> None:
        connection = self._session.target
        try:
            if connection is None:
                raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "no target")
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self.request.open_on(
                    connection, lambda: TargetHalf(self), self._session.policy.environment
                )
        except TimeoutError:
            self._not_opened(f"the target did not answer within {OPEN_TIMEOUT_S:g} s")
        except (asyncssh.Error, OSError) as error:
            self._not_opened(f"the target refused the channel: {visible(str(error), 200)}")
        except Exception:
            log.exception("%s: channel %d", self._session.session.id, self.channel.number)
            self._not_opened("the target's answer was not understood")

    def _not_opened(self, why: str) -> None:
        self._target_done = True
        if self.channel.operator is None:
            self._close()
            return
        self.output.write(notices.plain(why), STDERR)
        self.channel.exit = (255, None)
        self._finish()

    def target_opened(self, half: asyncssh.SSHClientChannel[bytes]) -> None:
        """The target's half is open: what the client sent early may go on."""
        self.channel.target = half
        if self.channel.operator is None or self._session.live.output_gate() is Gate.SHUT:
            half.abort()
            return
        self.output.valve.attach(half)
        self.heed_wires()
        if self.channel.pty:
            # It may have changed while the target was asked for the old one.
            self._sizes.ask()
        self.input.target_opened()

    def target_exited(self, status: int | None, signal: str | None) -> None:
        """The program on the target is over; the client hears it after the last byte."""
        self.channel.exit = (status, signal)

    # What the driver orders

    def announce(self, kind: NoticeKind, by: str, text: str) -> None:
        """Tell the operator, at the next safe point of the output."""
        if self.channel.operator is not None and self.channel.kind is not None:
            self.output.announce(kind, by, text, self.input.discarded)

    def hang_up(self, text: str | None, status: int) -> None:
        """End both halves; the operator reads `text`, and the client gets `status`."""
        self._wait_no_more()
        self.input.closed()
        self.output.close()
        program, client = self._program, self._client
        if program is not None:
            kill(program)
        if client is None:
            return
        if self.channel.kind is None:
            client.abort()
            return
        if text is not None:
            self.output.say_last(text)
        client.exit(status)

    # The end

    def _repaint(self, rows_less: int) -> None:
        size, program = self.request.size, self._program
        if program is not None and size is not None and size.rows > 1:
            program.change_terminal_size(size.columns, size.rows - rows_less)

    def _finish(self) -> None:
        """Pass the exit on once the operator has every byte; a pause keeps it back too."""
        if self._exit_passed or self._withholds:
            return
        self._exit_passed = True
        status, signal = self.channel.exit
        if self.channel.recorder is not None:
            with self._session.recording():
                self.channel.recorder.exit(self._session.at(), status, signal)
        client = self._client
        if client is None:
            self._close()
        elif signal is not None:
            client.exit_with_signal(signal)
        elif status is not None:
            client.exit(status)
        else:
            client.close()

    def _close(self) -> None:
        self._sizes.close()
        super()._close()
