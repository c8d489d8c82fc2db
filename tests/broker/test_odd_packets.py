"""Packets that no honest peer sends are judged as by asyncssh; mistakes stay with who made them."""

from __future__ import annotations

import asyncio
import random
import time
from typing import cast

import pytest
from asyncssh.encryption import GCMEncryption
from asyncssh.packet import String, UInt32

from psm_console.broker.channel.halves import give

from .packet_streams import (
    ADJUST,
    CLOSE,
    DATA,
    EOF,
    GLOBAL,
    LATER,
    NEWKEYS,
    Ours,
    Sealer,
    Theirs,
    _encryption,
    opened,
)
from .test_packet_streams import Plan, Run

pytestmark = pytest.mark.attack

Ended = tuple[bool, dict[str, list[tuple[int | None, bytes]]], object]
WINDOW = 100
"""What is left of the window of channel 1, which is not read."""


def sealed(sealer: Sealer, kind: int, body: bytes, padding: int | None = None) -> bytes:
    """Return a packet that says it has `padding` bytes of padding."""
    if padding is None:
        return sealer.seal(random.Random(1), kind, body)
    plain = bytes([padding, kind]) + body
    plain += bytes(-len(plain) % 16)
    length = UInt32(len(plain))
    nonce = sealer._fixed + sealer._count.to_bytes(8, "big")
    sealer._count += 1
    return length + sealer._aes.encrypt(nonce, plain, length)


def data(to: int, body: bytes) -> bytes:
    """Return what a packet with data of channel `to` says."""
    return UInt32(to) + String(body)


ODD: dict[str, list[tuple[int, bytes, int | None]]] = {
    "more than it says": [(DATA, data(0, b"abc") + b"x", None)],
    "less than it says": [(DATA, UInt32(0) + UInt32(4) + b"abc", None)],
    "nothing that says much": [(DATA, UInt32(0) + UInt32(1 << 31), None)],
    "no length": [(DATA, UInt32(0), None)],
    "an unknown channel": [(DATA, data(7, b"abc"), None)],
    "after the end": [(EOF, UInt32(0), None), (DATA, data(0, b"abc"), None)],
    "after the close": [(CLOSE, UInt32(0), None), (DATA, data(0, b"abc"), None)],
    "the whole window": [(DATA, data(1, bytes(WINDOW)), None)],
    "the whole window in two": [(DATA, data(1, bytes(WINDOW // 2)), None)] * 2,
    "the whole window in four": [(DATA, data(1, bytes(WINDOW // 4)), None)] * 4,
    "more than the window": [(DATA, data(1, bytes(WINDOW + 1)), None)],
    "more than the window in two": [(DATA, data(1, bytes(60)), None)] * 2,
    "more than the window in three": [(DATA, data(1, bytes(40)), None)] * 3,
    "a wider window with more to it": [(ADJUST, UInt32(0) + UInt32(9) + b"x", None)],
    "a wider window of no size": [(ADJUST, UInt32(0), None)],
    "a wider window of an unknown channel": [(ADJUST, UInt32(7) + UInt32(9), None)],
    "a wider window after the end": [(EOF, UInt32(0), None), (ADJUST, data(0, b""), None)],
    "a wider window after the close": [(CLOSE, UInt32(0), None), (ADJUST, data(0, b""), None)],
    "no padding": [(DATA, data(0, b"abcdef"), 0)],
    "a wider window without padding": [(ADJUST, UInt32(0) + UInt32(9) + bytes(6), 0)],
    "little padding": [(DATA, data(0, b"abc"), 3)],
    "only padding": [(DATA, data(0, b"abc"), 255)],
    "an unknown kind": [(199, b"abc", None)],
}


@pytest.mark.parametrize("cut", [1 << 20, 7])
@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_packet_is_judged_as_by_asyncssh(odd: str, cut: int) -> None:
    sealer = Sealer("k")
    before, after = data(0, b"before"), data(0, b"after")
    packets = [(DATA, before, None), *ODD[odd], (DATA, after, None)]
    wire = b"".join(sealed(sealer, *packet) for packet in packets)

    runs = await ended(wire, cut)

    assert runs[0] == runs[1]
    assert runs[0][1]["k0"][0][1].startswith(b"before")


@pytest.mark.parametrize("length", [0, 1, 15, 16, (256 << 10) + 1, 1 << 20, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("cut", [1 << 20, 7])
async def test_a_packet_of_an_odd_length_is_judged_as_by_asyncssh(length: int, cut: int) -> None:
    wire = sealed(Sealer("k"), DATA, data(0, b"before")) + UInt32(length) + bytes(100)

    ours, theirs = await ended(wire, cut)

    assert ours == theirs
    assert ours[1]["k0"][0] == (None, b"before")
    assert ours[0] is (length != (256 << 10) + 1), "what may come yet is waited for"


async def ended(wire: bytes, cut: int) -> list[Ended]:
    """Return what each end made of `wire`: whether it is gone, what it delivered, its answers."""
    found: list[Ended] = []
    for kind in (Ours, Theirs):
        run = Run(kind, Plan(((1024, 0, False), (1024, 0, False)), wire, None))
        run.channels[1].pause_reading()
        run.channels[1]._recv_window = WINDOW
        for at in range(0, len(wire), cut):
            run.end.feed(wire[at : at + cut])
        gone = run.end._transport is None
        for _ in range(3):
            await asyncio.sleep(0)
        found.append((gone, run.delivered(), run.answered()))
    return found


async def test_what_follows_on_keys_of_another_cipher_waits_for_nothing_more() -> None:
    class Another:
        """A cipher that must not go the short way."""

        def __init__(self) -> None:
            of = _encryption(("k", 1))
            self.decrypt_header, self.decrypt_packet = of.decrypt_header, of.decrypt_packet

    class Changing(Ours):
        @property
        def _next_recv_encryption(self) -> GCMEncryption | None:
            return cast(GCMEncryption, Another()) if self._recv_name else None

        @_next_recv_encryption.setter
        def _next_recv_encryption(self, _: object) -> None:
            self._next_recv_blocksize = self._next_recv_macsize = 16
            self._next_decompressor, self._next_decompress_after_auth = None, False

    sealer = Sealer("k")
    wire = sealed(sealer, DATA, data(0, b"old")) + sealed(sealer, NEWKEYS, b"")
    sealer.renew()
    wire += sealed(sealer, DATA, data(0, b"new"))
    run = Run(Changing, Plan(((1024, 0, False),), wire, None))

    run.end.feed(wire)

    assert run.delivered() == {"k0": [(None, b"oldnew")]}


async def test_a_packet_in_three_around_an_answer_that_takes_its_time_is_whole() -> None:
    sealer = Sealer("k")
    first = sealed(sealer, LATER, b"") + sealed(sealer, DATA, data(0, b"abc"))
    run = Run(Ours, Plan(((1024, 0, False),), first, None))

    run.end.feed(first[:-30])
    run.end.feed(first[-30:-20])
    for _ in range(3):
        await asyncio.sleep(0)
    run.end.feed(first[-20:])

    assert run.delivered() == {"k0": [(None, b"abc")]}


async def test_a_mistake_on_one_connection_gives_another_none_of_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = [Run(Ours, Plan(((1024, 0, False),), b"", None), name) for name in "kl"]
    count = Ours._count_taken

    def mistaken(end: Ours) -> None:
        if end is runs[0].end:
            raise LookupError("a mistake")
        count(end)

    monkeypatch.setattr(Ours, "_count_taken", mistaken)
    for run, name in zip(runs, "kl", strict=True):
        run.end.feed(sealed(Sealer(name), DATA, data(0, name.encode())))

    assert runs[0].end._transport is None
    assert runs[0].delivered() == {} and runs[1].delivered() == {"l0": [(None, b"l")]}


async def test_a_wire_that_breaks_keeps_no_other_connection_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = [Run(Ours, Plan(((1024, 9999, True),), b"", None), name) for name in "klm"]
    outer, broken, other = runs

    def fail(data: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(broken.wire, "write", fail)

    def to_all(said: bytes, datatype: int | None) -> None:
        for run in (other, broken, outer, other):
            give(run.channels[0], said)

    monkeypatch.setattr(outer.channels[0]._session, "data_received", to_all)
    outer.end.feed(sealed(Sealer("k"), DATA, data(0, bytes(1000))))

    assert broken.end._transport is None and outer.end._transport is not None
    assert len(other.wire.sent) > 2000 and len(outer.wire.sent) > 1000
    for run in (outer, other):
        before = len(run.wire.sent)
        give(run.channels[0], b"y")
        assert len(run.wire.sent) > before


async def test_a_peer_that_says_something_is_not_asked_whether_it_lives() -> None:
    run = Run(Ours, Plan(((1024, 0, False),), b"", None))
    end = run.end
    assert isinstance(end, Ours)
    end._keepalive_interval, end._keepalive_count_max = 60, 3
    end.feed(sealed(Sealer("k"), DATA, data(0, b"abc")))
    assert end._keepalive_timer is not None

    end._heard = time.monotonic() - 50
    end._keepalive_timer_callback()
    assert not run.wire.sent
    assert end._keepalive_timer.when() - end._loop.time() < 11

    end._heard = time.monotonic() - 61
    end._keepalive_timer_callback()
    await asyncio.sleep(0)
    end._cancel_keepalive_timer()
    assert [kind for kind, _ in opened("k", bytes(run.wire.sent))] == [GLOBAL]
