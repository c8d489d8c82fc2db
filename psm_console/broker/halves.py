"""asyncssh's callbacks of a channel's two halves, handed on to its relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.channel import SSHChannel

from psm_console.domain.session import Size
from psm_console.domain.text import visible

if TYPE_CHECKING:
    from .relay import Relay

STDERR = asyncssh.EXTENDED_DATA_STDERR


def give(channel: SSHChannel[bytes], data: bytes, datatype: int | None = None) -> None:
    """Write to a half, unless it closed first: what it was given is in the recording then, and its
    own `connection_lost` does the rest."""
    with suppress(OSError):
        channel.write(data, datatype)


class OperatorHalf(asyncssh.SSHServerSession[bytes]):
    """The client's channel."""

    def __init__(self, relay: Relay) -> None:
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
        self._start: Callable[[], None] = self._relay.driver.ask(self._relay, kind)
        return True

    def session_started(self) -> None:
        self._start()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._relay.operator_sent(data)

    def eof_received(self) -> bool:
        self._relay.operator_ended()
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self._relay.operator_resized(Size.clamped(width or 80, height or 24))

    def signal_received(self, signal: str) -> None:
        self._relay.operator_signalled(signal)

    def break_received(self, msec: int) -> bool:
        return self._relay.operator_broke(msec)

    def pause_writing(self) -> None:
        self._relay.operator_full()

    def resume_writing(self) -> None:
        self._relay.operator_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.operator_closed()


class TargetHalf(asyncssh.SSHClientSession[bytes]):
    """The target's channel."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        self._relay.target_opened(self._channel)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._relay.target_sent(data, datatype)

    def eof_received(self) -> bool:
        # Held back: an EOF that overtakes the exit status gave clients 255 in 5 of 12 calls.
        return True

    def exit_status_received(self, status: int) -> None:
        self._relay.target_exited(status, None)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._relay.target_exited(None, signal)

    def pause_writing(self) -> None:
        self._relay.target_full()

    def resume_writing(self) -> None:
        self._relay.target_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.target_closed(broken=exc is not None)
