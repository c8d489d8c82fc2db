"""What a connection keeps for as long as it lives, cut down to what it still has a use for.

asyncssh keeps all that a login and a key exchange were made of: both sides' offers, a set of
options for each connection, the credential, lists of algorithms that are the same everywhere. That
is a third of an idle session's memory. It goes once it is of no more use; what a later key exchange
needs (the pinned host keys, the algorithms, the session's id) stays, and what it makes goes again.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Any

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.connection import SSHConnection

_EMPTY: frozenset[object] = frozenset()
_SETS = (
    "_trusted_host_keys",
    "_trusted_ca_keys",
    "_revoked_host_keys",
    "_x509_revoked_certs",
    "_server_sig_algs",
)
_ALGORITHMS = (
    "_kex_algs",
    "_enc_algs",
    "_mac_algs",
    "_cmp_algs",
    "_sig_algs",
    "_server_host_key_algs",
)
_LEARNED = tuple(
    f"{way}_{what}" for way in ("send", "recv") for what in ("cipher", "mac", "compression")
)


class SlimConnection(SSHConnection):
    """A connection that keeps nothing of a key exchange, neither the first nor a later one."""

    def send_newkeys(self, k: bytes, h: bytes) -> None:
        """Take new keys into use, and forget what they were made of."""
        super().send_newkeys(k, h)
        _forget_exchange(self)


def slim(connection: SSHConnection) -> None:
    """Have a connection forget what served its login, and share what is the same for all."""
    _forget_exchange(connection)
    for name in _SETS:
        # Not None, which for host keys means "any"; and what has members stays what it is.
        if getattr(connection, name) == _EMPTY:
            setattr(connection, name, _EMPTY)
    for name in _ALGORITHMS:
        found = getattr(connection, name)
        if found is not None:
            setattr(connection, name, _alike(tuple(found)))
    connection._waiter = None
    connection._extra = _packed(connection._extra)
    _lighten(connection)


def slim_target(connection: asyncssh.SSHClientConnection) -> None:
    """Do the same for a target's, which also holds the credential that got it in."""
    connection._options = _no_options()
    connection._client_keys = []
    connection._password = connection._preferred_auth = connection._agent = None
    connection._auth_methods = []
    # The host keys that count are in their set by now. What was read from nobody is trusted.
    connection._known_hosts = _nobody
    # Proved; the next key exchange proves it again, against the pinned ones.
    connection._server_host_key = None
    connection._server_sig_algs = set()
    slim(connection)


def _forget_exchange(connection: SSHConnection) -> None:
    # Packets that had waited may have begun the next exchange; its hash needs our offer.
    if connection._kex is None and not connection._kexinit_sent:
        connection._client_kexinit = connection._server_kexinit = b""
    connection._extensions_to_send = OrderedDict()
    for name in _LEARNED:
        connection._extra.pop(name, None)


def slim_channel(channel: SSHChannel[bytes]) -> None:
    """Have a channel take no more than it needs."""
    _lighten(channel)
    channel.__dict__ = _packed(channel.__dict__)


def _lighten(part: SSHConnection | SSHChannel[bytes]) -> None:
    # asyncio.Event keeps who waits for it in a deque, 760 bytes while nobody does; a list is one
    # that knows all that is asked of it.
    event = part._close_event
    event._waiters = list(event._waiters)  # type: ignore[assignment]


def _packed(attributes: dict[str, Any]) -> dict[str, Any]:
    # A dict that grew one by one may be twice as large as one made of what is in it now.
    return {name: value for name, value in attributes.items()}


def _nobody(_host: str, _address: str, _port: int | None) -> list[str]:
    return []


@lru_cache(64)
def _alike(names: tuple[bytes, ...]) -> list[bytes]:
    return list(names)


@lru_cache(1)
def _no_options() -> asyncssh.SSHClientConnectionOptions:
    """Return what channels of a target fall back on: nothing of ours, and no credential."""
    return asyncssh.SSHClientConnectionOptions(
        config=None, agent_path=None, client_keys=None, known_hosts=_nobody, send_env=None
    )
