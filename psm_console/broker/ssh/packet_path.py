"""The way of a connection's packets between the socket and its channels, without the waste.

asyncssh takes a chunk from the socket apart by copying all that is left of it, twice a packet;
makes a cipher, an object and a line of a log for each; and gives each to the kernel by itself. Here
the data of channels and the adjustments of their windows go a short way. All else is asyncssh's
own: the handshake, requests, new keys, every other cipher, and whatever is not well-formed, so that
nothing is judged in two places.

What a chunk brings to one channel is delivered together; what is sent meanwhile, on whichever
connection, is given to the kernel before the next chunk is read.

A chunk may hold tens of thousands of tiny packets. Nobody else of this process is to wait for all
of them, so a connection rests when its turn is over, and goes on after the others.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.constants import (
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_IGNORE,
    MSG_USERAUTH_LAST,
)
from asyncssh.packet import SSHPacket, SSHPacketLogger

from .backlog import Backlog
from .gcm import DELIVERED, HEAD, LENGTH, MAC, Key, Load
from .slimming import SlimConnection
from .turns import TurnTaking

_CHUNK = 1088 << 10
"""Bytes taken from a socket at once, with what was left of the last packet."""
_LEFT = 64 << 10
"""More than this that is left, of a packet larger than asked for, is not copied to and fro."""
_TOGETHER = 128 << 10
"""Bytes that are given to the kernel though the chunk is not worked off yet."""
_SMALL = 512
"""Of so few bytes each packet is passed on at once: somebody waits for the echo of a key."""
_SLOWLY = 64 << 10
"""Bytes taken at once of what goes the long way: each of its packets has the rest copied, twice."""
_UINT32 = struct.Struct(">I")
_ADJUSTED = frozenset({"open", "eof_pending", "eof"})
"""States in which the peer may widen a channel's window: until it has closed the channel."""
_DATA = bytes([MSG_CHANNEL_DATA])


class _Work(threading.local):
    """A chunk's being worked off, with all that it makes connections of this thread send."""

    def __init__(self) -> None:
        self._deep = 0
        self._waiting: list[PacketPath] = []
        self.chunk = memoryview(bytearray(_CHUNK))
        self.loads: list[Load] = []
        """Those that no connection works with: one inside of another, of a jump, has its own."""

    def __enter__(self) -> None:
        self._deep += 1

    def __exit__(self, *_: object) -> None:
        try:
            while self._deep == 1 and self._waiting:
                connection = self._waiting.pop()
                try:
                    connection.pass_on()
                except Exception:  # it is nobody else's: those that still wait are told too
                    connection.internal_error()
        finally:
            self._deep -= 1

    def takes(self, connection: PacketPath) -> bool:
        """Whether `connection` is told once the chunk is worked off; there may be none."""
        if self._deep:
            self._waiting.append(connection)
        return self._deep > 0


_work = _Work()


class PacketPath(TurnTaking, Backlog, asyncio.BufferedProtocol):
    """A connection whose data goes the short way."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.prepare()

    def prepare(self) -> None:
        """Make what it has beside asyncssh's own."""
        self._came, self._goes = Key(), Key()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._ahead = 0
        self._crumbs: list[bytes] = []
        self._crumb_bytes = 0
        self.begin_turns()

    # From the socket

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the thread's chunk to the socket, behind what was left of the last packet."""
        left, short = len(self._inpbuf), self._short()
        self._ahead = left if 0 < left <= _LEFT and short else 0
        if not self._ahead:
            return _work.chunk if short else _work.chunk[:_SLOWLY]
        _work.chunk[:left] = self._inpbuf
        return _work.chunk[left:]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the socket wrote into the chunk."""
        data = _work.chunk[: self._ahead + nbytes]
        if self._ahead:
            self._inpbuf = b""
        if self._inpbuf or not self._short():
            self._gather(bytes(data))
        elif len(data) <= _SMALL:
            self._take_all(data)
        else:
            with _work:
                self._take_all(data)

    def _gather(self, data: bytes) -> None:
        """Take bytes once they make the packet whole that is begun.

        A peer that claims a packet of megabytes and sends it in crumbs would have all that is there
        copied for each of them.
        """
        self._crumbs.append(data)
        self._crumb_bytes += len(data)
        if self._inpbuf and self._short():
            whole = LENGTH + _UINT32.unpack_from(self._inpbuf)[0] + MAC
            if len(self._inpbuf) + self._crumb_bytes < min(whole, self._max_recv_pktlen):
                self._reset_keepalive_timer()
                return
        data, self._crumbs, self._crumb_bytes = b"".join(self._crumbs), [], 0
        self.data_received(data)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Take bytes as they came."""
        with _work:
            super().data_received(data, datatype)

    def _recv_data(self) -> None:
        if self._rests:
            return
        if self._short():
            data, self._inpbuf = self._inpbuf, b""
            with _work:
                self._take_all(memoryview(data))
        else:
            super()._recv_data()

    def _short(self) -> bool:
        """Whether what comes next begins a packet, and may go the short way."""
        return (
            self._auth_complete
            and self._decompressor is None
            and self._recv_handler == self._recv_pkthdr
            and self._came.fits(self._recv_encryption)
        )

    def _take_all(self, data: memoryview) -> None:
        self._reset_keepalive_timer()
        load = _work.loads.pop() if _work.loads else Load()
        try:
            self._take(data, load)
        except asyncssh.DisconnectError as error:
            self._send_disconnect(error.code, error.reason, error.lang)
            self._force_close(error)
        except Exception:
            self.internal_error()
        finally:
            if load.end == HEAD:  # or else a mistake of ours left other people's bytes in it
                _work.loads.append(load)

    def _take(self, data: memoryview, load: Load) -> None:
        """Take `data` apart into packets; what is left waits in `_inpbuf`."""
        at, end = 0, len(data)
        while end - at >= LENGTH and self._transport is not None:
            whole = LENGTH + _UINT32.unpack_from(data, at)[0] + MAC
            if whole > self._max_recv_pktlen:
                whole = end - at  # asyncssh measures it again, and says what is wrong
            elif end - at < whole:
                break
            packet = data[at : at + whole]
            at += whole
            if not self._took(packet, load):
                load.deliver()
                if not self._take_long(packet):
                    break
            if at < end and self._turn_is_over():
                self._rest()
                break
        if load.end > HEAD:
            load.deliver()
        if self._transport is not None and at < end:
            self._inpbuf += bytes(data[at:])
            if not self._short():
                super()._recv_data()

    def _took(self, packet: memoryview, load: Load) -> bool:
        """Take a packet if it may go the short way; until then it is as if nobody had opened it."""
        head = load.open(self._came, packet)
        if head is None or not head[0]:
            return False  # without padding asyncssh finds no packet in it
        padding, kind, to, number = head
        size = len(packet) - LENGTH - MAC - HEAD - padding
        if kind != MSG_CHANNEL_DATA:
            return (
                kind == MSG_CHANNEL_WINDOW_ADJUST and not size and self._adjusted(to, number, load)
            )
        if size < 1 or number != size:
            return False
        if to == load.to and size <= load.room:
            load.end += size
            load.room -= size
        else:
            if load.end > HEAD:
                load.clear(size)
            channel = self._channels.get(to)
            if channel is None or channel._recv_state != "open" or size > channel._recv_window:
                return False
            load.begin(channel, to, size)
        self._count_taken()
        if load.end > DELIVERED:
            load.deliver()
        return True

    def _adjusted(self, to: int, more: int, load: Load) -> bool:
        """Take a packet that widens a channel's window."""
        load.deliver()
        channel = self._channels.get(to)
        if channel is None or channel._recv_state not in _ADJUSTED:
            return False
        self._count_taken()
        packet = SSHPacket(more.to_bytes(4, "big"))
        channel._process_window_adjust(MSG_CHANNEL_WINDOW_ADJUST, 0, packet)
        return True

    def _count_taken(self) -> None:
        self._came.cipher._update_iv()
        self._recv_seq = (self._recv_seq + 1) & 0xFFFFFFFF
        self._auth_final = True

    def _take_long(self, packet: memoryview) -> bool:
        """Have asyncssh take a packet; False when what follows it can not go the short way now."""
        self._inpbuf = bytes(packet)
        while self._inpbuf and self._recv_handler():
            pass
        return not self._inpbuf and self._short()

    # To the socket

    def send_packet(
        self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None
    ) -> None:
        """Send a packet, without the one to be ignored that asyncssh puts before each.

        It is of use to ciphers that chain (CBC), which we do not speak, and costs a packet of each
        connection.
        """
        if pkttype > MSG_USERAUTH_LAST and self._sends_short():
            self._seal(pkttype.to_bytes(1, "big"), b"".join(args))
        elif pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)
            self.check_deferred()

    def send_data(self, channel: SSHChannel[bytes], data: bytes) -> bytes:
        """Send what `channel` takes of `data` at once; return the rest, for `channel.write`."""
        window = min(channel._send_window, len(data))
        if channel._send_buf or channel._send_state != "open" or not self._sends_short():
            return data
        assert channel._send_chan is not None
        channel._send_window -= window
        to, most = _DATA + channel._send_chan.to_bytes(4, "big"), channel._send_pktsize
        pieces = memoryview(data)[:window]
        for at in range(0, window, most):
            piece = pieces[at : at + most]
            self._seal(to + len(piece).to_bytes(4, "big"), piece)
        return data[window:] if window < len(data) else b""

    def _sends_short(self) -> bool:
        return (
            self._auth_complete
            and self._kex_complete
            and self._compressor is None
            and self._rekey_bytes_sent < self._rekey_bytes
            and (not self._rekey_seconds or time.monotonic() < self._rekey_time)
            and self._goes.fits(self._send_encryption)
        )

    def _seal(self, head: bytes, body: bytes | memoryview = b"") -> None:
        """Send a packet of these parts (RFC 4253, 6; RFC 5647, 7.2)."""
        key, block = self._goes, self._send_blocksize
        padding = -(self._send_enchdrlen + len(head) + len(body)) % block
        if padding < 4:
            padding += block
        plain = b"".join((padding.to_bytes(1, "big"), head, body, os.urandom(padding)))
        length = len(plain).to_bytes(LENGTH, "big")
        sealed = key.aes.encrypt(key.cipher._iv, plain, length)
        key.cipher._update_iv()
        self._send_seq = (self._send_seq + 1) & 0xFFFFFFFF
        self._rekey_bytes_sent += len(plain)
        self._send(length, sealed)

    def _send(self, *data: bytes) -> None:
        # What one chunk brought goes together: fewer calls, and fewer wakings of who receives it.
        gathers = bool(self._unsent) or _work.takes(self)
        self._unsent += data
        self._unsent_bytes += sum(map(len, data))
        if not gathers or self._unsent_bytes >= _TOGETHER:
            self.pass_on()

    def pass_on(self) -> None:
        """Give the kernel what waits until the chunk is worked off."""
        parts, self._unsent, self._unsent_bytes = self._unsent, [], 0
        if parts:
            self._hand_over(b"".join(parts))
            self.check_unsent()

    def _hand_over(self, data: bytes) -> None:
        """Give bytes to what carries the connection."""
        super()._send(data)

    def _force_close(self, exc: Exception | None) -> None:
        self.pass_on()
        super()._force_close(exc)


class TargetConnection(SlimConnection, PacketPath, asyncssh.SSHClientConnection):
    """A connection to a target."""

    _told: Callable[[bool], None] | None = None

    def watch_wire(self, told: Callable[[bool], None]) -> None:
        """Call `told` with True when the target takes no more, and with False when it does."""
        self._told = told
        self.wire(bool(self._full))

    def wire(self, full: bool) -> None:
        """Hand it on."""
        if self._told is not None:
            self._told(full)


def shorten(connection: asyncssh.SSHClientConnection) -> None:
    """Have the data of a connection that asyncssh made go the short way from now on."""
    # The same object with other methods: asyncssh has no way to be given a class.
    connection.__class__ = TargetConnection
    assert isinstance(connection, TargetConnection)
    connection.prepare()
    connection._cancel_keepalive_timer()  # it would call the method that it had before
    connection._reset_keepalive_timer()
    transport = connection._transport
    if isinstance(transport, asyncio.Transport):
        transport.set_protocol(connection)
