"""What is sent the short way keeps its order, and waits where asyncssh's own way would wait."""

from __future__ import annotations

import random
import time

import pytest
from asyncssh.packet import String, UInt32

from psm_console.broker.channel.halves import give

from .packet_streams import DATA, Ours, Sealer, opened
from .test_packet_streams import Plan, Run

KEXINIT = 20


def open_end(window: int = 1 << 20) -> Run:
    """Return an end of ours whose one channel has so much room."""
    return Run(Ours, Plan(((1024, window, False),), b"", None))


def kinds(run: Run) -> list[int]:
    """Return the kinds of the packets that were sent."""
    return [kind for kind, _ in opened("k", bytes(run.wire.sent))]


def sent(run: Run) -> bytes:
    """Return the data that was sent."""
    packets = opened("k", bytes(run.wire.sent))
    return b"".join(body[8:] for kind, body in packets if kind == DATA)


async def test_nothing_is_sent_while_keys_are_exchanged_and_all_of_it_after() -> None:
    run = open_end()
    run.end._kex_complete = False

    give(run.channels[0], b"one")
    run.channels[0].write(b"two")
    assert not run.wire.sent

    run.end._kex_complete = True
    run.end._send_deferred_packets()
    give(run.channels[0], b"three")
    assert sent(run) == b"onetwothree"


async def test_what_waits_for_the_window_is_not_overtaken() -> None:
    run = open_end(window=0)
    give(run.channels[0], b"first")
    run.channels[0]._send_window = 100

    give(run.channels[0], b"second")

    run.channels[0]._flush_send_buf()
    assert sent(run) == b"firstsecond"


async def test_no_packet_is_larger_than_the_peer_takes_and_none_exceeds_its_window() -> None:
    run = open_end(window=2500)

    give(run.channels[0], bytes(4000))

    sizes = [len(body) - 8 for kind, body in opened("k", bytes(run.wire.sent))]
    assert sizes == [1024, 1024, 452]
    assert run.channels[0]._send_buf_len == 1500
    assert run.end._send_seq == len(sizes), "a later cipher may need it"


@pytest.mark.parametrize("due", ["bytes", "time"])
async def test_new_keys_are_asked_for_when_the_old_ones_have_served(due: str) -> None:
    run = open_end()
    if due == "bytes":
        run.end._rekey_bytes = 3000
    else:
        run.end._rekey_seconds, run.end._rekey_time = 3600, time.monotonic() + 3600
    for _ in range(2):
        give(run.channels[0], bytes(1000))
    assert kinds(run) == [DATA] * 2

    if due == "time":
        run.end._rekey_time = time.monotonic() - 1
    for _ in range(2):
        give(run.channels[0], bytes(1000))

    assert kinds(run) == [*[DATA] * (3 if due == "bytes" else 2), KEXINIT]


async def test_what_was_sent_before_a_connection_is_cut_goes_before_the_cut() -> None:
    run = open_end()
    end = run.end

    def say_and_leave(data: bytes, datatype: int | None) -> None:
        give(run.channels[0], b"last words")
        end._force_close(None)

    assert isinstance(end, Ours)
    session = run.channels[0]._session
    assert session is not None
    session.data_received = say_and_leave  # type: ignore[method-assign]
    said = Sealer("k").seal(random.Random(1), DATA, UInt32(0) + String(bytes(1000)))
    end.feed(said)

    assert end._transport is None
    assert sent(run) == b"last words"
