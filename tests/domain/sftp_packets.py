"""SFTP packets for tests, spelled by hand: not with the code under test."""

from __future__ import annotations

import struct

from psm_console.domain.policy import SftpPolicy
from psm_console.domain.sftp import Answer, Conversation, FileEvent, Forward, SftpEvent, Side


def u32(number: int) -> bytes:
    return struct.pack(">I", number)


def u64(number: int) -> bytes:
    return struct.pack(">Q", number)


def text(data: bytes) -> bytes:
    return u32(len(data)) + data


def packet(kind: int, body: bytes) -> bytes:
    return u32(1 + len(body)) + bytes([kind]) + body


INIT = packet(1, u32(3))
VERSION = packet(2, u32(3) + text(b"posix-rename@openssh.com") + text(b"1"))


def opening(number: int, path: bytes, flags: int) -> bytes:
    return packet(3, u32(number) + text(path) + u32(flags) + u32(4) + u32(0o644))


def close(number: int, handle: bytes) -> bytes:
    return packet(4, u32(number) + text(handle))


def read(number: int, handle: bytes, offset: int, count: int) -> bytes:
    return packet(5, u32(number) + text(handle) + u64(offset) + u32(count))


def write(number: int, handle: bytes, offset: int, data: bytes) -> bytes:
    return packet(6, u32(number) + text(handle) + u64(offset) + text(data))


def of_path(kind: int, number: int, path: bytes, rest: bytes = b"") -> bytes:
    return packet(kind, u32(number) + text(path) + rest)


def extended(number: int, name: bytes, rest: bytes = b"") -> bytes:
    return packet(200, u32(number) + text(name) + rest)


def status(number: int, code: int = 0) -> bytes:
    return packet(101, u32(number) + u32(code) + text(b"said") + text(b""))


def handle(number: int, value: bytes) -> bytes:
    return packet(102, u32(number) + text(value))


def data(number: int, content: bytes) -> bytes:
    return packet(103, u32(number) + text(content))


def names(number: int, *paths: bytes) -> bytes:
    entries = b"".join(text(path) + text(path) + u32(0) for path in paths)
    return packet(104, u32(number) + u32(len(paths)) + entries)


class Talk:
    """A conversation that has begun, and everything that came of it."""

    def __init__(self, policy: SftpPolicy | None = None) -> None:
        self.conversation = Conversation(policy or SftpPolicy())
        self.events: list[SftpEvent] = []
        self.ask(INIT)
        self.say(VERSION)
        self.events.clear()

    def ask(self, *packets: bytes) -> list[SftpEvent]:
        """The client sends; return what came of it."""
        return self._feed(Side.OPERATOR, packets)

    def say(self, *packets: bytes) -> list[SftpEvent]:
        """The target sends; return what came of it."""
        return self._feed(Side.TARGET, packets)

    def _feed(self, side: Side, packets: tuple[bytes, ...]) -> list[SftpEvent]:
        found = self.conversation.feed(side, b"".join(packets))
        self.events += found
        return found

    def files(self) -> list[FileEvent]:
        """The operations so far, and what became of them."""
        return [event for event in self.events if isinstance(event, FileEvent)]


def forwarded(events: list[SftpEvent], side: Side) -> bytes:
    """What of one side's bytes is passed on."""
    return b"".join(e.data for e in events if isinstance(e, Forward) and e.side is side)


def answers(events: list[SftpEvent]) -> list[bytes]:
    """What the client is answered in the target's place."""
    return [event.data for event in events if isinstance(event, Answer)]
