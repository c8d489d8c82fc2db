"""The socket that clients connect to: bound here, or bound by systemd and inherited."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

DEFAULT_LISTEN = "127.0.0.1:2222"
BACKLOG = 4096
"""Connections that wait to be accepted; past this the kernel lets clients believe in ones that
nobody will ever answer. It cuts the number down to net.core.somaxconn; listen(2)."""
_FIRST_GIVEN = 3
"""The descriptor at which systemd's sockets begin; sd_listen_fds(3)."""


class ListenError(Exception):
    """The address can not be listened on; the text is a sentence."""


def bind(listen: str) -> socket.socket:
    """Return a socket that listens on `listen`, HOST:PORT; raises `ListenError`."""
    host, separator, port = listen.rpartition(":")
    host = host.strip("[]")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"{listen!r} is not HOST:PORT, for example {DEFAULT_LISTEN}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(BACKLOG)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise ListenError(
            f"can not listen on {listen}: {error.strerror or error}; choose another with "
            "--listen, or take over from the broker that runs there with --replace"
        ) from None
    bound.setblocking(False)
    return bound


def given(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the socket that systemd bound for this process, or None; sd_listen_fds(3)."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if environ.get("LISTEN_FDS") != "1":
        raise ListenError("systemd gave more sockets than the one a broker listens on; name one")
    return adopt(_FIRST_GIVEN)


def adopt(descriptor: int) -> socket.socket:
    """Return the listening socket behind an inherited descriptor; raises `ListenError`."""
    try:
        listening = socket.socket(fileno=descriptor)
        if not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ListenError("the inherited socket does not listen")
    except OSError as error:
        raise ListenError(f"the inherited socket can not be used: {error.strerror}") from None
    listening.setblocking(False)
    listening.set_inheritable(False)
    return listening
