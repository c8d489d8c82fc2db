"""What a forward seems to carry, told from the first bytes each way.

A tripwire, not a wall: two ends that work together can wrap anything in anything. What is meant is
the plain case, an SSH session inside the session, which nobody could watch.
"""

from __future__ import annotations

import re

HEAD = 64
"""Bytes of each direction that are kept."""
_EARLY = 8192
"""How far into what the target says an SSH server's first line is looked for (RFC 4253, 4.2)."""
SSH = "ssh"
_PROTOCOLS = [
    (SSH, re.compile(rb"SSH-")),
    ("tls", re.compile(rb"\x16\x03[\x00-\x04]")),
    (
        "http",
        re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) |HTTP/[12]|PRI \*"),
    ),
    (
        "postgres",
        re.compile(rb"\0\0\0\x08\x04\xd2\x16[\x2e-\x30]|\0\0..\0\x03\0[\0-\x02]", re.DOTALL),
    ),
    ("mysql", re.compile(rb".{3}\0\x0a[0-9]+\.", re.DOTALL)),
    ("redis", re.compile(rb"\*[0-9]+\r\n\$|PING\r\n|-ERR |-NOAUTH |\+PONG")),
    ("vnc", re.compile(rb"RFB 00")),
    ("rdp", re.compile(rb"\x03\0..[\x02-\xff][\xe0\xd0]", re.DOTALL)),
    ("smtp", re.compile(rb"(?:EHLO|HELO) |220[ -][^\r\n]*SMTP")),
    ("ftp", re.compile(rb"220[ -]")),
    ("smb", re.compile(rb"\0...[\xfe\xff]SMB", re.DOTALL)),
]


def protocol_of(first: bytes) -> str:
    """Name what begins with `first`; nothing when it is not known (yet)."""
    return next((name for name, begins in _PROTOCOLS if begins.match(first)), "")


class Sniffer:
    """Looks at the beginning of one forward, both ways; later bytes cost nothing."""

    def __init__(self) -> None:
        self.sent = b""
        """What the operator's side sent first, at most `HEAD` bytes."""
        self.said = b""
        """What the target's side said first, at most `HEAD` bytes."""
        self._early = b""

    @property
    def protocol(self) -> str:
        """What the forward seems to carry; nothing when nobody knows."""
        if self.inner_ssh:
            return SSH
        return protocol_of(self.sent) or protocol_of(self.said)

    @property
    def inner_ssh(self) -> bool:
        """Whether either side has said who it is as SSH does.

        A server may say other lines first, so each of its lines counts, unless the client has
        begun with something that is known.
        """
        if self.sent.startswith(b"SSH-") or self._early.startswith(b"SSH-"):
            return True
        return b"\nSSH-" in self._early and not protocol_of(self.sent)

    def send(self, data: bytes) -> bool:
        """Take bytes from the operator's side; whether anything new was learned."""
        if len(self.sent) >= HEAD:
            return False
        self.sent += data[: HEAD - len(self.sent)]
        return True

    def say(self, data: bytes) -> bool:
        """Take bytes from the target's side; whether anything new was learned."""
        if len(self._early) >= _EARLY:
            return False
        self._early += data[: _EARLY - len(self._early)]
        self.said = self._early[:HEAD]
        return True
