"""The wire of SFTP version 3: packets cut out of a stream, and fields read out of a packet.

After draft-ietf-secsh-filexfer-02 and OpenSSH's PROTOCOL. Nothing here trusts a length.
"""

from __future__ import annotations

import struct
from enum import IntEnum

VERSION = 3
PACKET_LIMIT = (256 << 10) + 1024
"""Bytes of a packet at most, without its length: OpenSSH's limit, and some."""
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class Type(IntEnum):
    """What a packet is."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Status(IntEnum):
    """The codes of a STATUS packet."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    NO_CONNECTION = 6
    CONNECTION_LOST = 7
    OP_UNSUPPORTED = 8


class MalformedError(Exception):
    """A packet is not what it says it is; the text says in a few words why."""


class Cursor:
    """Reads the fields of one packet in order; raises MalformedError where there is none."""

    __slots__ = ("_data", "_place")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def byte(self) -> int:
        """Return the next byte."""
        return self._take(1)[0]

    def u32(self) -> int:
        """Return the next unsigned number of 32 bits."""
        return int(_U32.unpack(self._take(4))[0])

    def u64(self) -> int:
        """Return the next unsigned number of 64 bits."""
        return int(_U64.unpack(self._take(8))[0])

    def string(self) -> bytes:
        """Return the next string of bytes."""
        return self._take(self.u32())

    def _take(self, count: int) -> bytes:
        end = self._place + count
        if end > len(self._data):
            raise MalformedError("a packet ends too early")
        found, self._place = self._data[self._place : end], end
        return found


class Packets:
    """Cuts one direction's stream into packets, each with its length in front."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes of a packet whose end has not come."""
        return len(self._held)

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._held += data

    def next(self) -> bytes | None:
        """Return the next whole packet, or None; raises MalformedError for an absurd length."""
        if len(self._held) < 4:
            return None
        length = int(_U32.unpack_from(self._held)[0])
        if not 1 <= length <= PACKET_LIMIT:
            raise MalformedError(f"a packet says that it has {length} bytes")
        if len(self._held) < 4 + length:
            return None
        packet = bytes(memoryview(self._held)[: 4 + length])
        del self._held[: 4 + length]
        return packet


def packed(kind: Type, *fields: int | bytes) -> bytes:
    """Return a whole packet; numbers become 32 bits, bytes become strings."""
    body = b"".join(
        _U32.pack(field) if isinstance(field, int) else _U32.pack(len(field)) + field
        for field in fields
    )
    return _U32.pack(1 + len(body)) + bytes([kind]) + body


def status_packet(request: int, code: Status, message: str) -> bytes:
    """Return the answer to a request that is told why it was not done."""
    return packed(Type.STATUS, request, code, message.encode(), b"en")
