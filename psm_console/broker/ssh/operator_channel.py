"""A client's session channel, where asyncssh's own takes too little or too much."""

from __future__ import annotations

import codecs

import asyncssh
from asyncssh.packet import SSHPacket

_COLLECTED, _LONGEST = 256, 8192


class Variables(dict[bytes, bytes]):
    """What a client wants set, as asyncssh collects it: it would collect without end."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if len(self) < _COLLECTED and len(name) + len(value) <= _LONGEST:
            super().__setitem__(name, value)


class OperatorChannel(asyncssh.SSHServerChannel[bytes]):
    """Takes commands of any bytes, as sshd does, and not any number of variables.

    asyncssh drops a command that is not UTF-8 without a word to anybody. Here its odd bytes go on
    as lone surrogates (PEP 383), and become the same bytes again on the way to the target.
    """

    # None in each; with them among its own attributes a channel needs a dict of twice the size.
    _x11_display: str | None = None
    _encoder: codecs.IncrementalEncoder | None = None
    _decoder: codecs.IncrementalDecoder | None = None

    def confine(self) -> None:
        """Collect no variables without end."""
        self._env = Variables(self._env)
        for name in ("_x11_display", "_encoder", "_decoder"):
            delattr(self, name)

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        command = packet.get_string()
        packet.check_end()
        return self._start_session(command=command.decode("utf-8", "surrogateescape"))

    def _process_subsystem_request(self, packet: SSHPacket) -> bool:
        subsystem = packet.get_string()
        packet.check_end()
        # A name that is not ASCII is none that exists: the gate says so to the client and the log.
        return self._start_session(subsystem=subsystem.decode("ascii", "backslashreplace"))
