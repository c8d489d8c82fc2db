"""Input keeps its order through a pause, and nothing of it passes a gate that closed meanwhile."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asyncssh.packet import String, UInt32

from psm_console.broker.channel.guard import RecordingGuard
from psm_console.broker.channel.input_side import InputSide
from psm_console.broker.channel.live_channel import ChannelSession, LiveChannel
from psm_console.domain.live import Gate

from .packet_streams import DATA, EOF, Sealer, opened
from .test_packet_streams import Run
from .test_packets_sent import open_end, sent

pytestmark = pytest.mark.attack


class Path:
    """The way of a pipe's input between two connections of asyncssh."""

    def __init__(self, window: int, *, opened: bool = True) -> None:
        self.gate, self.recorded, self.fails_at = Gate.FORWARD, list[bytes](), -1
        live = SimpleNamespace(input_gate=lambda pty: self.gate, input_received=lambda at: None)
        guard = RecordingGuard(self._failed)
        session = SimpleNamespace(live=live, recording=lambda: guard, at=lambda: 0.0)
        # Nothing else of a session, and of a recorder, is asked for.
        self.channel = LiveChannel(cast(ChannelSession, session), 1)
        self.channel.recorder = cast(Any, SimpleNamespace(input=self._record))
        self.client, self.target = open_end(), open_end(window)
        self.side = InputSide(self.channel)
        self.channel.operator = self.client.channels[0]
        self.client.channels[0]._session = cast(
            Any,
            SimpleNamespace(
                data_received=lambda data, datatype: self.side.sent(data),
                eof_received=self._ended,
            ),
        )
        self.side.valve.attach(self.client.channels[0])
        self._sealer = Sealer("k")
        if opened:
            self.channel.target = self.target.channels[0]

    def _record(self, at: float, data: bytes) -> None:
        if len(self.recorded) == self.fails_at:
            raise OSError("no space")
        self.recorded.append(data)

    def _ended(self) -> bool:
        self.side.ended()
        return True

    def _failed(self, error: Exception) -> None:
        self.gate = Gate.SHUT

    def says(self, data: bytes) -> None:
        """Have the client send `data`; nothing is its end."""
        kind, body = (DATA, String(data)) if data else (EOF, b"")
        self.client.end.feed(self._sealer.seal(random.Random(1), kind, UInt32(0) + body))

    def widen(self) -> None:
        """Have the target take more."""
        self.target.channels[0]._send_window += 1000
        self.target.channels[0]._flush_send_buf()


def ends(run: Run) -> int:
    """Return how many ends were passed on."""
    return sum(kind == EOF for kind, _ in opened("k", bytes(run.wire.sent)))


async def test_what_a_pause_takes_back_goes_first_when_it_is_over() -> None:
    path = Path(window=3)
    path.says(b"one")
    path.says(b"two")
    path.side.hold()
    path.gate = Gate.HOLD
    path.says(b"three")
    path.says(b"")
    path.widen()
    assert sent(path.target) == b"one" and path.side.waiting() == len(b"twothree")

    path.gate = Gate.FORWARD
    path.side.release()

    assert sent(path.target) == b"onetwothree" == b"".join(path.recorded)
    assert ends(path.target) == 1


async def test_an_end_that_a_pause_took_back_is_passed_on_by_the_resume_and_once() -> None:
    path = Path(window=3)
    path.says(b"onetwo")
    path.says(b"")
    path.gate = Gate.HOLD
    path.side.hold()
    path.side.hold()
    path.widen()
    assert (sent(path.target), ends(path.target)) == (b"one", 0)

    path.gate = Gate.FORWARD
    path.side.release()

    assert (sent(path.target), ends(path.target)) == (b"onetwo", 1)


async def test_what_came_before_the_target_was_open_goes_first_and_its_end_last() -> None:
    path = Path(window=1000, opened=False)
    path.says(b"one")
    path.side.valve.hold("target not open")
    path.says(b"two")
    path.says(b"")
    assert not path.recorded

    path.channel.target = path.target.channels[0]
    path.side.target_opened()

    assert sent(path.target) == b"onetwo" and ends(path.target) == 1


@pytest.mark.parametrize("fails_at", [0, 1])
async def test_what_could_not_be_recorded_and_all_behind_it_goes_nowhere(fails_at: int) -> None:
    path = Path(window=1000, opened=False)
    path.fails_at = fails_at
    for data in (b"one", b"two", b"three"):
        path.says(data)
    path.channel.target = path.target.channels[0]
    path.side.target_opened()
    path.says(b"four")

    assert sent(path.target) == b"".join(path.recorded) == b"one" * fails_at


async def test_nothing_passes_once_the_channel_is_closed() -> None:
    path = Path(window=3)
    path.says(b"onetwo")
    path.gate = Gate.HOLD
    path.side.hold()
    path.side.closed()
    path.gate = Gate.FORWARD
    path.side.release()
    path.says(b"three")
    path.widen()

    assert sent(path.target) == b"one" and path.recorded == [b"onetwo"]
