"""Made-up streams of packets, and two ends that take them: ours, and asyncssh's own.

Both are connections that are logged in, without a socket: what they send is kept, opened again and
read. Whatever a stream is and however it is cut, both must end up the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHClientChannel
from asyncssh.connection import SSHConnection
from asyncssh.encryption import GCMEncryption
from asyncssh.packet import UInt32
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from psm_console.broker.channel.halves import give
from psm_console.broker.ssh.operator_options import operator_options
from psm_console.broker.ssh.packet_path import PacketPath

IGNORE, NEWKEYS, GLOBAL, ADJUST, DATA, EXTENDED, EOF, CLOSE = 2, 21, 80, 93, 94, 95, 96, 97
LATER = 200
"""A packet whose answer takes a turn of the loop, as a key exchange does."""
_CIPHER = b"aes128-gcm@openssh.com"
_RECEIVED = 2 << 20
_PACKET = 256 << 10


def _secrets(name: object) -> tuple[bytes, bytes]:
    made = hashlib.sha256(repr(name).encode()).digest()
    return made[:16], made[16:28]


class Sealer:
    """What the other side puts on the wire: packets, each key's in its turn."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._keys = itertools.count()
        self.renew()

    def renew(self) -> None:
        """Seal under the next key from here on."""
        key, iv = _secrets((self._name, next(self._keys)))
        self._aes, self._fixed, self._count = AESGCM(key), iv[:4], int.from_bytes(iv[4:], "big")

    def seal(self, chance: random.Random, kind: int, body: bytes = b"") -> bytes:
        """Return one packet, with any padding that is legal (RFC 4253, 6)."""
        least = -(1 + 1 + len(body)) % 16
        least += 16 if least < 4 else 0
        padding = chance.choice((least, least, range(least, 256, 16)[-1]))
        plain = bytes([padding, kind]) + body + chance.randbytes(padding)
        length = UInt32(len(plain))
        sealed = self._aes.encrypt(self._fixed + self._count.to_bytes(8, "big"), plain, length)
        self._count = (self._count + 1) & (1 << 64) - 1
        return length + sealed


def opened(name: str, wire: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the packets that an end put on the wire; each must be whole and in its place."""
    key, iv = _secrets((name, 0))
    count, at = int.from_bytes(iv[4:], "big"), 0
    while at < len(wire):
        size = int.from_bytes(wire[at : at + 4], "big")
        sealed = wire[at + 4 : at + 20 + size]
        nonce = iv[:4] + count.to_bytes(8, "big")
        plain = AESGCM(key).decrypt(nonce, sealed, wire[at : at + 4])
        count, at = (count + 1) & (1 << 64) - 1, at + 20 + size
        assert plain[0] >= 4 and len(plain) % 16 == 0
        yield plain[1], plain[2 : len(plain) - plain[0]]


class Wire:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class _Renewing(SSHConnection):
    """Has the next key at hand whenever the other side takes it into use."""

    _recv_name = ""
    _recv_key = 0

    @property
    def _next_recv_encryption(self) -> GCMEncryption | None:
        return _encryption((self._recv_name, self._recv_key + 1)) if self._recv_name else None

    @_next_recv_encryption.setter
    def _next_recv_encryption(self, _: object) -> None:
        self._recv_key += 1
        self._next_recv_blocksize = self._next_recv_macsize = 16
        self._next_decompressor, self._next_decompress_after_auth = None, False


def _encryption(name: object) -> GCMEncryption:
    return GCMEncryption.new(_CIPHER.split(b"@")[0].decode(), *_secrets(name))


class _Slow(SSHConnection):
    """Knows one packet more, whose answer takes its time."""

    async def _later(self, _kind: int, _number: int, _packet: object) -> None:
        await asyncio.sleep(0)

    _packet_handlers = {  # noqa: RUF012  # asyncssh's own is the same
        **SSHConnection._packet_handlers,
        LATER: _later,
    }


class Theirs(_Renewing, _Slow, asyncssh.SSHServerConnection):
    """asyncssh's own."""

    def feed(self, data: bytes) -> None:
        """Give it what the socket would."""
        if self._transport is not None:
            self.data_received(data)


class Ours(_Renewing, PacketPath, _Slow, asyncssh.SSHServerConnection):
    """What the broker's legs are."""

    carried_by: SSHClientChannel[bytes] | None = None

    def feed(self, data: bytes) -> None:
        """Give it what the socket would, the way the loop does."""
        while data and self._transport is not None:
            room = self.get_buffer(-1)
            taken = min(len(data), len(room))
            room[:taken] = data[:taken]
            self.buffer_updated(taken)
            data = data[taken:]

    def _hand_over(self, data: bytes) -> None:
        if self.carried_by is not None:
            if self._transport is not None:
                give(self.carried_by, data)
        else:
            super()._hand_over(data)


End = Theirs | Ours


@lru_cache
def _options() -> asyncssh.SSHServerConnectionOptions:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return operator_options(asyncssh.SSHServer, key)


def logged_in(kind: type[Theirs] | type[Ours], name: str, wire: object) -> End:
    """Return an end as it is after a login; `name` gives its keys."""
    end = kind(asyncio.get_running_loop(), _options(), None, None)
    end._transport = cast("asyncio.Transport", wire)
    end._cancel_login_timer()
    end._auth_complete = end._kex_complete = end._strict_kex = True
    end._recv_handler = end._recv_pkthdr
    end._recv_encryption, end._send_encryption = _encryption((name, 0)), _encryption((name, 0))
    end._recv_blocksize = end._recv_macsize = end._send_blocksize = 16
    end._send_enchdrlen = 1
    end._rekey_bytes, end._rekey_seconds, end._rekey_time = 1 << 40, 0, 0
    end._next_recv_encryption = None
    end._recv_name, end._recv_key = name, 0
    end._update_recv_pktlen(_PACKET)
    return end


@dataclass
class Taker:
    """A channel's session: keeps what it is given, answers with it, or feeds a carried end."""

    answers: bool = False
    inner: End | None = None
    log: list[tuple[str, int | None, bytearray]] = field(default_factory=list)
    """What came, and the end; shared by all that are to be told from each other by their order."""
    name: str = ""

    def attach(self, channel: SSHClientChannel[bytes]) -> None:
        """Take the bytes of `channel`, and answer on it."""
        self.channel = channel
        channel._session = cast("asyncssh.SSHClientSession[bytes]", self)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        assert type(data) is bytes and data
        if self.inner is not None:
            if self.inner._transport is not None:
                self.inner.data_received(data)
            return
        self._note(data, datatype)
        if self.answers:
            give(self.channel, data)

    def _note(self, data: bytes, datatype: int | None) -> None:
        if not self.log or self.log[-1][:2] != (self.name, datatype):
            self.log.append((self.name, datatype, bytearray()))
        self.log[-1][2].extend(data)

    def eof_received(self) -> bool:
        self._note(b"eof", -1)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._note(type(exc).__name__.encode(), -2)
        if self.inner is not None:
            self.inner.connection_lost(exc)

    def session_started(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


def channel_of(end: End, taker: Taker, pktsize: int, window: int) -> SSHClientChannel[bytes]:
    """Return an open channel of `end` whose bytes `taker` takes."""
    channel: SSHClientChannel[bytes] = SSHClientChannel(
        cast("asyncssh.SSHClientConnection", end),
        end._loop,
        "strict",
        None,
        "strict",
        _RECEIVED,
        _PACKET,
    )
    channel._send_chan = channel._recv_chan
    channel._send_window, channel._send_pktsize = window, pktsize
    channel._send_state = channel._recv_state = "open"
    channel._recv_paused = False
    taker.attach(channel)
    return channel
