"""asyncssh's callbacks of a forward's two halves, handed on to its relay."""

from __future__ import annotations

from typing import Protocol

import asyncssh
from asyncssh.channel import SSHChannel

from ..ssh.unsent import check_packets
from .input_side import InputSide
from .output_side import OutputSide


class ForwardEnds(Protocol):
    """What the halves tell, and whom; a forward's relay is one."""

    @property
    def input(self) -> InputSide:
        """Takes what the operator sends."""

    @property
    def output(self) -> OutputSide:
        """Takes what the target sends."""

    def operator_opened(self, half: SSHChannel[bytes]) -> None:
        """The client's half is open."""

    def operator_full(self) -> None:
        """The client reads too slowly."""

    def operator_drained(self) -> None:
        """The client reads again."""

    def operator_closed(self) -> None:
        """The client's half is gone."""

    def target_opened(self, half: SSHChannel[bytes]) -> None:
        """The target's half is open."""

    def target_ended(self) -> None:
        """The target will send no more."""

    def target_full(self) -> None:
        """The target reads too slowly."""

    def target_drained(self) -> None:
        """The target reads again."""

    def target_closed(self, broken: bool) -> None:
        """The target's half is closed, after its last byte; with its connection if `broken`."""


class OperatorForwardHalf(asyncssh.SSHTCPSession[bytes]):
    """The client's half of a forward, to a port or a socket."""

    def __init__(self, relay: ForwardEnds) -> None:
        self._relay = relay

    def connection_made(self, chan: SSHChannel[bytes]) -> None:
        self._relay.operator_opened(chan)

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


class TargetForwardHalf(asyncssh.SSHTCPSession[bytes]):
    """The target's half of a forward, to a port or a socket."""

    def __init__(self, relay: ForwardEnds) -> None:
        self._relay = relay

    def connection_made(self, chan: SSHChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        check_packets(self._channel)
        self._relay.target_opened(self._channel)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._relay.output.sent(data, None)

    def eof_received(self) -> bool:
        self._relay.target_ended()
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        self._relay.target_full()

    def resume_writing(self) -> None:
        self._relay.target_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.target_closed(broken=exc is not None)
