"""Where a forward may lead: destinations as the target sees them, and what the inventory lists.

A destination is compared as its one normal spelling, and that spelling is what the target is asked
for: what was allowed and what is opened can not differ.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from .inventory import Target
from .policy import InnerSsh
from .text import visible

SSH_PORT = 22
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_PATH_LIMIT = 107
"""Bytes that the path of a socket may have."""
_ITSELF = frozenset({"localhost", "127.0.0.1", "::1"})
FORM = "HOST:PORT, HOST:* or unix:/PATH, for example 127.0.0.1:5432"


@dataclass(frozen=True, slots=True)
class TcpDestination:
    """A port of a host; an IP address in its shortest form, a name in lower case."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class SocketDestination:
    """A Unix socket, by an absolute path without `.` or `..` in it."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


Destination = TcpDestination | SocketDestination


def tcp_destination(host: str, port: int) -> TcpDestination | None:
    """Return the port of a host that a client names, or None when no such thing can be."""
    named = _host(host)
    return TcpDestination(named, port) if named and 0 < port < 65536 else None


def socket_destination(path: str) -> SocketDestination | None:
    """Return the socket that a client names, or None when no such thing can be."""
    steps = path.split("/")[1:]
    plain = path.startswith("/") and all(step not in ("", ".", "..") for step in steps)
    if not plain or visible(path) != path or len(path.encode()) > _PATH_LIMIT:
        return None
    return SocketDestination(path)


def listed(entry: str) -> str:
    """Return an entry of the inventory in its normal spelling; ValueError says what is wrong."""
    shown = f"'{visible(entry, 80)}'"
    if entry.startswith("unix:"):
        socket = socket_destination(entry[5:])
        if socket is None:
            raise ValueError(f"{shown} names no socket; expected unix: and a plain absolute path")
        return str(socket)
    host, colon, port = entry.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{shown} is not {FORM}; an IPv6 address stands in brackets")
    named = _host(host)
    if not colon or not named:
        raise ValueError(f"{shown} is not {FORM}")
    if port == "*":
        return f"{_bracketed(named)}:*"
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError(f"{shown} has no port from 1 to 65535, and no *")
    return str(TcpDestination(named, int(port)))


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """What one target's sessions may forward to; `listed` is spelled as `listed()` returns it."""

    listed: tuple[str, ...] = ()
    target_host: str = ""
    target_port: int = SSH_PORT
    inner_ssh: InnerSsh = InnerSsh.REFUSE

    @classmethod
    def of(cls, target: Target | None, inner_ssh: InnerSsh) -> ForwardRules:
        """Return what the inventory says about `target`; None is one that it has no more."""
        if target is None:
            return cls()
        return cls(target.forwards, target.host, target.port, inner_ssh)

    def refusal(self, asked: Destination) -> str | None:
        """Say why a session may not forward to `asked`; None when it may."""
        exactly = str(asked) in self.listed
        every = isinstance(asked, TcpDestination) and f"{_bracketed(asked.host)}:*" in self.listed
        if self._is_ssh(asked):
            # A session inside the session would be seen by nobody: `*` never means it.
            if self.inner_ssh is InnerSsh.REFUSE and (exactly or every):
                return f"{asked} is a way to SSH inside the session, which is refused"
            every = False
        if exactly or every:
            return None
        return f"forwarding to {visible(str(asked), 120)} is not available on this target"

    def _is_ssh(self, asked: Destination) -> bool:
        if not isinstance(asked, TcpDestination):
            return False
        itself = asked.host in _ITSELF or asked.host == _host(self.target_host)
        return asked.port == SSH_PORT or (itself and asked.port == self.target_port)


@dataclass(frozen=True, slots=True)
class ForwardAsked:
    """A forward that a client asks for, and what holds for it now."""

    destination: Destination
    origin: str
    """What the client says its own end is, `address:port` (already visible)."""
    rules: ForwardRules


def _host(text: str) -> str:
    """Return a host in its normal spelling, or nothing."""
    try:
        return "" if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        pass
    lower = text.lower() if text.isascii() else ""
    # `127.1` and `0x7f000001` are addresses to a resolver, and no address to us: refused.
    odd = re.fullmatch(r"[0-9.]+|0x.*", lower)
    return lower if _HOST.fullmatch(lower) and not odd else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
