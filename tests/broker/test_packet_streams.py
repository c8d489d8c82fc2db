"""The short way of packets delivers what asyncssh's own way does, however a stream is cut."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from asyncssh.channel import SSHClientChannel
from asyncssh.packet import String, UInt32

from tests.support.waiting import eventually

from .packet_streams import (
    ADJUST,
    CLOSE,
    DATA,
    EOF,
    EXTENDED,
    GLOBAL,
    IGNORE,
    LATER,
    NEWKEYS,
    End,
    Ours,
    Sealer,
    Taker,
    Theirs,
    Wire,
    channel_of,
    logged_in,
    opened,
)

_MOST = 1_900_000
"""Bytes for one channel: so many go into its window though nobody reads."""


@dataclass(frozen=True)
class Plan:
    """Channels of one connection, what comes on it, and the connection that the first carries."""

    channels: tuple[tuple[int, int, bool], ...]
    """Of each the largest packet and the window that its peer allows, and whether it answers."""
    wire: bytes
    inner: Plan | None


def planned(chance: random.Random, name: str, size: int, deep: int) -> Plan:
    """Return a stream that an honest peer may send."""
    inner = planned(chance, name + "i", size // 2, deep - 1) if deep else None
    channels = tuple(
        (chance.choice((1024, 32768)), chance.choice((0, 1, 5000, 1 << 20)), chance.random() < 0.6)
        for _ in range(chance.randint(1, 4))
    )
    if inner is not None:
        channels = ((32768, 1 << 40, False), *channels)
    sealer, wire, room = Sealer(name), bytearray(), {n: _MOST for n in range(len(channels))}
    largest = chance.choice((40, 4000, 32768, 255_000))
    done = 0
    while len(wire) < size or (inner is not None and done < len(inner.wire)):
        to = chance.choice((0, chance.randrange(len(channels))))
        data = chance.randbytes(chance.choice((0, 1, chance.randint(1, 40), largest)))
        if inner is not None and to == 0:
            data = inner.wire[done : done + max(len(data), len(inner.wire) // 500, 1)]
            done += len(data)
        elif room.get(to, 0) < len(data):
            data = b""
        else:
            room[to] -= len(data)
        match chance.randrange(24):
            case 0:
                wire += sealer.seal(chance, NEWKEYS)
                sealer.renew()
            case 1:
                wire += sealer.seal(chance, LATER)
            case 2:
                wire += sealer.seal(
                    chance, IGNORE, String(bytes(chance.choice((0, 9, 9, 9, 200_000))))
                )
            case 3:
                wire += sealer.seal(chance, GLOBAL, String(b"nothing@x") + b"\1")
            case 4 | 5 | 6:
                more = UInt32(chance.choice((0, 1, 32768, 1 << 20)))
                still = chance.choice([n for n in range(len(channels)) if room.get(n, 0) >= 0])
                wire += sealer.seal(chance, ADJUST, UInt32(still) + more)
            case 7 if to and room[to] >= len(data) > 0:
                room[to] -= len(data)
                parts = UInt32(to) + UInt32(1) + String(data)
                wire += sealer.seal(chance, EXTENDED, parts)
                data = b""
            case 8 if to > 1 and room[to] >= 0:
                wire += sealer.seal(chance, EOF, UInt32(to))
                room[to], data = -1, b""
        if data or room[to] >= 0:
            wire += sealer.seal(chance, DATA, UInt32(to) + String(data))
    wire += b"".join(sealer.seal(chance, CLOSE, UInt32(n)) for n in room if n and n % 2)
    return Plan(channels, bytes(wire), inner)


class Run:
    """One end and what it made of a plan."""

    def __init__(self, kind: type[Ours] | type[Theirs], plan: Plan, name: str = "k") -> None:
        self.log: list[tuple[str, int | None, bytearray]] = []
        self.wire = Wire()
        self.ends: list[tuple[str, End]] = []
        self.channels: list[SSHClientChannel[bytes]] = []
        self.end = self._made(kind, plan, name, self.wire)

    def _made(self, kind: type[Ours] | type[Theirs], plan: Plan, name: str, wire: object) -> End:
        end = logged_in(kind, name, wire)
        self.ends.append((name, end))
        for number, (largest, window, answers) in enumerate(plan.channels):
            taker = Taker(answers, log=self.log, name=f"{name}{number}")
            channel = channel_of(end, taker, largest, window)
            if number == 0 and plan.inner is not None:
                taker.inner = self._made(kind, plan.inner, name + "i", channel)
                if isinstance(taker.inner, Ours):
                    taker.inner.carried_by = channel
            else:
                self.channels.append(channel)
        return end

    async def take(self, wire: bytes, chance: random.Random) -> None:
        """Have the end take the stream in pieces, with channels not read for a while."""
        longest = chance.choice(
            (1, 700, 40_000, 1 << 20) if len(wire) < 40_000 else (40_000, 1 << 20)
        )
        at = 0
        while at < len(wire):
            size = chance.choice((longest, chance.randint(1, longest), min(longest, 4)))
            await eventually(lambda: self.wire.reading, what="the end's next turn")
            self.end.feed(wire[at : at + size])
            at += size
            channel, what = chance.choice(self.channels), chance.random()
            if channel._session is not None and what < 0.2:
                (channel.pause_reading if what < 0.1 else channel.resume_reading)()
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        for _ in range(400):  # a turn for each packet whose answer takes one
            await asyncio.sleep(0)
        ours = [end for _, end in self.ends if isinstance(end, Ours)]
        await eventually(lambda: not any(end._rests for end in ours), what="their last turns")
        for channel in self.channels:
            if channel._session is not None:
                channel.resume_reading()
        for _ in range(3):
            await asyncio.sleep(0)

    def delivered(self) -> dict[str, list[tuple[int | None, bytes]]]:
        """What each channel was given, in order."""
        found: dict[str, list[tuple[int | None, bytearray]]] = {}
        for name, kind, data in self.log:
            parts = found.setdefault(name, [])
            if not parts or parts[-1][0] != kind:
                parts.append((kind, bytearray()))
            parts[-1][1].extend(data)
        return {name: [(k, bytes(d)) for k, d in parts] for name, parts in found.items()}

    def answered(self) -> list[tuple[dict[int, int], dict[int, bytes]]]:
        """What each end sent: packets by kind, and the data of each channel that carries no end."""
        wire, found = bytes(self.wire.sent), []
        for name, _ in self.ends:
            kinds: Counter[int] = Counter()
            data: dict[int, bytearray] = {}
            for kind, body in opened(name, wire):
                if kind == DATA:
                    data.setdefault(int.from_bytes(body[:4], "big"), bytearray()).extend(body[8:])
                elif kind not in (IGNORE, ADJUST):
                    kinds[kind] += 1
            carried = data.pop(0, b"") if name != self.ends[-1][0] else b""
            found.append((dict(kinds), {to: bytes(sent) for to, sent in data.items()}))
            wire = bytes(carried)
        return found


@pytest.mark.parametrize("seed", range(24))
async def test_a_stream_however_cut_is_delivered_and_answered_as_by_asyncssh(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice((3000, 20_000, 300_000, 900_000))
    plan = planned(chance, "k", size, chance.randrange(3))
    ours, theirs = Run(Ours, plan), Run(Theirs, plan)
    for run in (ours, theirs):
        await run.take(plan.wire, random.Random(seed))

    assert ours.delivered() == theirs.delivered()
    assert ours.answered() == theirs.answered()
    for (_, one), (_, other) in zip(ours.ends, theirs.ends, strict=True):
        assert one._transport is not None and other._transport is not None
        assert one._recv_seq == other._recv_seq
        assert isinstance(one, Ours) and not one._unsent


@pytest.mark.attack
async def test_what_came_before_a_packet_that_ends_the_connection_is_delivered() -> None:
    chance, sealer = random.Random(1), Sealer("k")
    wire = sealer.seal(chance, DATA, UInt32(0) + String(b"last words"))
    wire += sealer.seal(chance, ADJUST, UInt32(1) + UInt32(9))
    run = Run(Ours, Plan(((1024, 0, False),) * 2, wire, None))
    run.channels[1]._recv_state = "close_pending"

    run.end.feed(wire)

    assert run.end._transport is None
    assert run.delivered() == {"k0": [(None, b"last words")]}


@pytest.mark.attack
async def test_a_large_packet_that_comes_in_crumbs_is_put_together_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance, sealer, data = random.Random(1), Sealer("k"), bytes(255_000)
    wire = b"".join(sealer.seal(chance, DATA, UInt32(0) + String(data)) for _ in range(2))
    run, taken = Run(Ours, Plan(((1024, 0, False),), wire, None)), 0
    take = Ours.data_received

    def counted(end: Ours, chunk: bytes) -> None:
        nonlocal taken
        taken += 1
        take(end, chunk)

    monkeypatch.setattr(Ours, "data_received", counted)
    assert isinstance(run.end, Ours)
    for at in range(0, len(wire), 100):
        run.end._heard = 0.0
        run.end.feed(wire[at : at + 100])
        assert run.end._heard, "a peer that sends something is alive"

    assert run.delivered() == {"k0": [(None, data * 2)]}
    assert taken == 2


@pytest.mark.attack
@pytest.mark.parametrize("kind", [DATA, IGNORE, ADJUST, GLOBAL])
async def test_a_chunk_of_tiny_packets_is_taken_in_turns_in_its_order_and_whole(kind: int) -> None:
    chance, sealer, count = random.Random(1), Sealer("k"), 12_000
    body = {
        DATA: UInt32(0) + String(b"."),
        IGNORE: String(b""),
        ADJUST: UInt32(0) + UInt32(1),
        GLOBAL: String(b"x") + b"\0",
    }[kind]
    wire = b"".join(sealer.seal(chance, kind, body) for _ in range(count))
    wire += sealer.seal(chance, DATA, UInt32(0) + String(b"last"))
    run = Run(Ours, Plan(((1024, 0, False),), wire, None))
    turns = 1

    run.end.feed(wire)
    while not run.delivered().get("k0", [(None, b"")])[0][1].endswith(b"last"):
        assert not run.wire.reading, "what comes next would pile up"
        turns += 1
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert turns > 1
    assert run.wire.reading and not run.end._inpbuf
    assert run.delivered() == {"k0": [(None, b"." * count * (kind == DATA) + b"last")]}
