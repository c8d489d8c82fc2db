"""Whether a leg's TCP connection takes what is written to it.

SSH's window bounds what is under way on a channel only as far as the peer chooses: PuTTY gives
2 GiB. What the peer's kernel does not take would pile up in this process, so a full wire is a
reason to stop reading the other leg, as a full channel is.
"""

from __future__ import annotations

from collections.abc import Callable

import asyncssh

from .packet_path import TargetConnection

_HIGH = 1 << 20
"""Bytes that may wait for the kernel before the other leg is read no more."""

Told = Callable[[bool], None]


def watch_wire(connection: asyncssh.SSHClientConnection, told: Told) -> None:
    """Call `told` with True when `connection` is full, and with False when it is free again."""
    assert isinstance(connection, TargetConnection)
    connection.watch_wire(told)
    widen(connection)


def widen(connection: asyncssh.SSHServerConnection | asyncssh.SSHClientConnection) -> None:
    """Let a megabyte wait: at asyncio's 64 KiB every bulk transfer would stop and go."""
    transport = connection._transport
    if transport is not None:
        transport.set_write_buffer_limits(high=_HIGH)
