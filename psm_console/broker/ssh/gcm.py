"""Packets under AES-GCM (RFC 5647): the key of a direction, and what came with it for a channel."""

from __future__ import annotations

import struct
from typing import Any

from asyncssh.channel import SSHChannel
from asyncssh.encryption import GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LENGTH, MAC = 4, 16
"""Bytes around a packet."""
HEAD = 10
"""Bytes in front of a channel's data: of padding, type, channel, length (RFC 4253, RFC 4254)."""
Head = tuple[int, int, int, int]
DELIVERED = 256 << 10
"""Bytes that a channel is given at once; whoever is to read no more can say so in between."""
_ROOM = 64 << 10
"""Bytes that the packet may have which makes it so many."""
_FIELDS = struct.Struct(">BBII")


class Key:
    """The AES-GCM of one direction, made once for each key; the counter stays asyncssh's."""

    __slots__ = ("_of", "aes", "cipher")

    def __init__(self) -> None:
        self.cipher: Any = None
        self.aes: Any = None
        self._of: object = None

    def fits(self, encryption: object) -> bool:
        """Whether `encryption` is AES-GCM, which is then to be had here."""
        if encryption is not self._of:
            self._of = encryption
            self.cipher = encryption._cipher if isinstance(encryption, GCMEncryption) else None
            if self.cipher is not None:
                self.aes = AESGCM(self.cipher._key)
        return self.cipher is not None


class Load:
    """What a chunk brought for one channel so far, decrypted one behind the other.

    A packet is opened over the last bytes before it, which then get their place back from its
    head: so its data stands where it belongs, and nothing has to be put together.
    """

    __slots__ = ("_channel", "_plain", "end", "room", "to")

    def __init__(self) -> None:
        self._plain = memoryview(bytearray(DELIVERED + _ROOM))
        self._channel: SSHChannel[bytes] | None = None
        self.to = -1
        """The number of the channel that it is for."""
        self.room = 0
        """Bytes that the channel's window has room for yet."""
        self.end = HEAD
        """Where the next packet's data is put; `HEAD` while there is none."""

    def open(self, key: Key, packet: memoryview) -> Head | None:
        """Decrypt `packet` behind what is here; return its head, None for what is none of ours."""
        plain, end = self._plain, self.end
        begin, size = end - HEAD, len(packet) - LENGTH - MAC
        if size < HEAD or size > len(plain) - begin:
            return None
        before = bytes(plain[begin:end])
        try:
            key.aes.decrypt_into(
                key.cipher._iv,
                packet[LENGTH:],
                packet[:LENGTH],
                plain[begin : begin + size],
            )
            head: Head = _FIELDS.unpack_from(plain, begin)
        except InvalidTag:
            return None
        finally:
            plain[begin:end] = before
        return head

    def clear(self, size: int) -> None:
        """Deliver what is here; `size` bytes that were opened last stand in its place."""
        opened = bytes(self._plain[self.end : self.end + size])
        self.deliver()
        self._plain[HEAD : HEAD + size] = opened

    def begin(self, channel: SSHChannel[bytes], to: int, size: int) -> None:
        """Keep `size` bytes that were opened first for `channel`, and what follows for it."""
        self._channel, self.to = channel, to
        self.room, self.end = channel._recv_window - size, HEAD + size

    def deliver(self) -> None:
        """Give the channel what came for it."""
        channel, end = self._channel, self.end
        self._channel, self.to, self.end = None, -1, HEAD
        if channel is not None:
            channel._accept_data(bytes(self._plain[HEAD:end]))
