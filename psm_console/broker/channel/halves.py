"""asyncssh's callbacks of a channel's two halves, handed on to its relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.session import SSHSession

from psm_console.domain.session import Size
from psm_console.domain.text import visible

from ..ssh.packet_path import PacketPath
from ..ssh.unsent import check_packets
from .channel_request import ChannelRequest

STDERR = asyncssh.EXTENDED_DATA_STDERR


def give(channel: SSHChannel[bytes], data: bytes, datatype: int | None = None) -> None:
    """Write to a half, unless it closed first: what it was given is in the recording then, and its
    own `connection_lost` does the rest."""
    connection = channel._conn
    if datatype is None and isinstance(connection, PacketPath):
        data = connection.send_data(channel, data)
        if not data:
            return
    with suppress(OSError):
        channel.write(data, datatype)


class _Input(Protocol):
    """Takes what the operator sends."""

    def sent(self, data: bytes) -> None:
        """Bytes from the client."""

    def ended(self) -> None:
        """The client will send no more."""


class OperatorTold(Protocol):
    """What the client's half of any channel tells, and whom."""

    @property
    def input(self) -> _Input:
        """Takes what the operator sends."""

    def operator_full(self) -> None:
        """The client reads too slowly."""

    def operator_drained(self) -> None:
        """The client reads again."""

    def operator_closed(self) -> None:
        """The client's channel is gone."""


class FromOperator(SSHSession[bytes]):
    """What the client's half of any channel hands on."""

    _relay: OperatorTold

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._relay.input.sent(data)

    def eof_received(self) -> bool:
        self._relay.input.ended()
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        self._relay.operator_full()

    def resume_writing(self) -> None:
        self._relay.operator_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.operator_closed()


class _Output(Protocol):
    """Takes what the target sends."""

    def sent(self, data: bytes, datatype: int | None) -> None:
        """Bytes from the target."""


class TargetTold(Protocol):
    """What the target's half of any channel tells, and whom."""

    @property
    def output(self) -> _Output:
        """Takes what the target sends."""

    def target_full(self) -> None:
        """The target reads too slowly."""

    def target_drained(self) -> None:
        """The target reads again."""

    def target_closed(self, broken: bool) -> None:
        """The target's half is closed, after its last byte; with its connection if `broken`."""


class FromTarget(SSHSession[bytes]):
    """What the target's half of any channel hands on."""

    _relay: TargetTold

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._relay.output.sent(data, datatype)

    def pause_writing(self) -> None:
        self._relay.target_full()

    def resume_writing(self) -> None:
        self._relay.target_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.target_closed(broken=exc is not None)


class OperatorEnd(OperatorTold, Protocol):
    """What the client's half of a session channel tells, and whom; a relay is one."""

    @property
    def request(self) -> ChannelRequest:
        """What the client asked for so far."""

    def operator_opened(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        """The client's channel is open; what it is for comes next."""

    def ask(self, kind: str) -> Callable[[], None]:
        """Put the client's request to the gate; return what to do once the client was answered."""

    def operator_resized(self, size: Size) -> None:
        """The client's window changed."""

    def operator_signalled(self, signal: str) -> None:
        """The client sent a signal."""

    def operator_broke(self, milliseconds: int) -> bool:
        """The client sent a break."""


class TargetEnd(TargetTold, Protocol):
    """What the target's half of a session channel tells, and whom; a relay is one."""

    def target_opened(self, half: asyncssh.SSHClientChannel[bytes]) -> None:
        """The target's half is open."""

    def target_exited(self, status: int | None, signal: str | None) -> None:
        """The program on the target is over."""


class OperatorHalf(FromOperator, asyncssh.SSHServerSession[bytes]):
    """The client's channel."""

    _relay: OperatorEnd

    def __init__(self, relay: OperatorEnd) -> None:
        self._relay = relay

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan
        self._relay.operator_opened(chan)

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        return self._relay.request.take_pty(term_type, term_size, term_modes)

    def shell_requested(self) -> bool:
        return self._ask("shell", None)

    def exec_requested(self, command: str) -> bool:
        return self._ask("exec", command)

    def subsystem_requested(self, subsystem: str) -> bool:
        self._relay.request.take_subsystem(subsystem)
        return self._ask(f"subsystem {visible(subsystem, 32)}", None)

    def _ask(self, kind: str, command: str | None) -> bool:
        self._relay.request.take_start(command, dict(self._channel.get_environment()))
        self._start = self._relay.ask(kind)
        return True

    def session_started(self) -> None:
        self._start()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self._relay.operator_resized(Size.clamped(width or 80, height or 24))

    def signal_received(self, signal: str) -> None:
        self._relay.operator_signalled(signal)

    def break_received(self, msec: int) -> bool:
        return self._relay.operator_broke(msec)


class TargetHalf(FromTarget, asyncssh.SSHClientSession[bytes]):
    """The target's channel."""

    _relay: TargetEnd

    def __init__(self, relay: TargetEnd) -> None:
        self._relay = relay

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        check_packets(self._channel)
        self._relay.target_opened(self._channel)

    def eof_received(self) -> bool:
        # Held back: an EOF that overtakes the exit status gave clients 255 in 5 of 12 calls.
        return True

    def exit_status_received(self, status: int) -> None:
        self._relay.target_exited(status, None)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._relay.target_exited(None, signal)
