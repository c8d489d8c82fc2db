"""asyncssh's callbacks of a forward's two halves, handed on to its relay."""

from __future__ import annotations

from typing import Protocol

import asyncssh
from asyncssh.channel import SSHChannel

from ..ssh.unsent import check_packets
from .halves import FromOperator, FromTarget, OperatorTold, TargetTold


class OperatorForwardEnd(OperatorTold, Protocol):
    """What the client's half of a forward tells, and whom; a forward's relay is one."""

    def operator_opened(self, half: SSHChannel[bytes]) -> None:
        """The client's half is open."""


class TargetForwardEnd(TargetTold, Protocol):
    """What the target's half of a forward tells, and whom; a forward's relay is one."""

    def target_opened(self, half: SSHChannel[bytes]) -> None:
        """The target's half is open."""

    def target_ended(self) -> None:
        """The target will send no more."""


class OperatorForwardHalf(FromOperator, asyncssh.SSHTCPSession[bytes]):
    """The client's half of a forward, to a port or a socket."""

    _relay: OperatorForwardEnd

    def __init__(self, relay: OperatorForwardEnd) -> None:
        self._relay = relay

    def connection_made(self, chan: SSHChannel[bytes]) -> None:
        self._relay.operator_opened(chan)


class TargetForwardHalf(FromTarget, asyncssh.SSHTCPSession[bytes]):
    """The target's half of a forward, to a port or a socket."""

    _relay: TargetForwardEnd

    def __init__(self, relay: TargetForwardEnd) -> None:
        self._relay = relay

    def connection_made(self, chan: SSHChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        check_packets(self._channel)
        self._relay.target_opened(self._channel)

    def eof_received(self) -> bool:
        self._relay.target_ended()
        return True  # the other direction goes on
