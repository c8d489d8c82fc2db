"""Listens at the broker's two doors: what it writes as evidence, and what it gives the kernel to
send, opened with the keys it was sealed with, in the order in which both happen."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import asyncssh.crypto.cipher
import pytest
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA, MSG_NEWKEYS
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from psm_console.broker.ssh import gcm
from psm_console.recording import evidence
from psm_console.recording.decoding import LineDecoder, decode_block

_COUNTED = (b"# psm in ", b"# psm digest ")


class Recorded:
    """What the evidence says of one direction so far: its bytes, or only how many."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.counted = 0

    @property
    def size(self) -> int:
        return self.counted or len(self.data)


class Wiretap:
    """`with Wiretap(sshd_port) as tap:` around a broker of this process with one open channel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, broker: int, target: int) -> None:
        self._broker, self._target = broker, target
        self.recorded = {code: Recorded() for code in "oei"}
        self.sent = {code: bytearray() for code in "oei"}
        self.early: list[str] = []
        """What was sent before its evidence was written, or is not what the evidence says."""
        self._sealed: dict[bytes, bytes] = {}
        self._wires: dict[tuple[int, int], _Wire] = {}
        self._lines = b""
        self._bulk = bytearray()
        self._decoder = LineDecoder(bulk=lambda at, count: bytes(self._bulk[at : at + count]))
        self._listen(monkeypatch)

    def _listen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tap = self

        class Sealing:
            """AES-GCM that remembers what it sealed."""

            def __init__(self, key: bytes) -> None:
                self._aes = AESGCM(key)
                self.decrypt, self.decrypt_into = self._aes.decrypt, self._aes.decrypt_into

            def encrypt(self, nonce: bytes, data: bytes, head: bytes) -> bytes:
                sealed = self._aes.encrypt(nonce, data, head)
                tap._sealed[bytes(head) + sealed] = bytes(data)
                return sealed

        def write(descriptor: int, data: bytes) -> int:
            written = os.write(descriptor, data)
            tap._wrote(os.readlink(f"/proc/self/fd/{descriptor}"), bytes(data[:written]))
            return written

        send, sendmsg = socket.socket.send, socket.socket.sendmsg

        def tapped(one: socket.socket, data: Any, *rest: Any) -> int:
            count = send(one, data, *rest)
            tap._gave(one, bytes(data)[:count])
            return count

        def tapped_all(one: socket.socket, data: Sequence[Any], *rest: Any) -> int:
            count = sendmsg(one, data, *rest)
            tap._gave(one, b"".join(data)[:count])
            return count

        monkeypatch.setattr(gcm, "AESGCM", Sealing)
        monkeypatch.setattr(asyncssh.crypto.cipher, "AESGCM", Sealing)
        monkeypatch.setattr(evidence, "os", SimpleNamespace(**{**vars(os), "write": write}))
        monkeypatch.setattr(socket.socket, "send", tapped)
        monkeypatch.setattr(socket.socket, "sendmsg", tapped_all)

    def _wrote(self, path: str, data: bytes) -> None:
        if path.endswith(".bin"):
            self._bulk += data
            return
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            for word in _COUNTED:
                if line.startswith(word):
                    block = decode_block(line[len(word) :].replace(b"{", b'{"code":"i",', 1))
                    self.recorded[block.code].counted += block.bytes
            event = self._decoder.decode(line)
            if event is not None and event.code in self.recorded and isinstance(event.data, bytes):
                self.recorded[event.code].data += event.data

    def _gave(self, one: socket.socket, data: bytes) -> None:
        if one.family != socket.AF_INET:
            return
        here, there = one.getsockname()[1], one.getpeername()[1]
        if self._broker != here and self._target != there:
            return
        wire = self._wires.setdefault((here, there), _Wire())
        for packet in wire.take(data, self._sealed):
            for code, part in _parts(packet, given=self._target == there):
                self._check(code, part)

    def _check(self, code: str, part: bytes) -> None:
        sent, recorded = self.sent[code], self.recorded[code]
        start = len(sent)
        sent += part
        if len(sent) > recorded.size:
            self.early.append(f"{code}: {len(sent)} bytes sent, {recorded.size} recorded")
        elif not recorded.counted and recorded.data[start : len(sent)] != part:
            self.early.append(f"{code}: other bytes at {start} than were recorded")


class _Wire:
    """One direction of an SSH connection, taken apart into packets (RFC 4253, 6)."""

    def __init__(self) -> None:
        self._held = b""
        self._named = self._keyed = False

    def take(self, data: bytes, sealed: dict[bytes, bytes]) -> list[bytes]:
        """Return the payloads in the clear of the sealed packets that are whole now."""
        self._held += data
        found = []
        if not self._named:
            _, line_end, rest = self._held.partition(b"\n")
            self._named, self._held = bool(line_end), rest if line_end else self._held
        while self._named and len(self._held) >= 6:
            whole = 4 + int.from_bytes(self._held[:4], "big") + (16 if self._keyed else 0)
            if len(self._held) < whole:
                break
            packet, self._held = self._held[:whole], self._held[whole:]
            if self._keyed:
                plain = sealed.pop(packet)
                found.append(plain[1 : len(plain) - plain[0]])
            else:
                self._keyed = packet[5] == MSG_NEWKEYS
        return found


def _parts(packet: bytes, *, given: bool) -> list[tuple[str, bytes]]:
    """Return the channel's data in a packet with its direction's code."""
    if packet[0] == MSG_CHANNEL_DATA:
        return [("i" if given else "o", packet[9:])]
    if packet[0] == MSG_CHANNEL_EXTENDED_DATA:
        return [("e", packet[13:])]
    return []
