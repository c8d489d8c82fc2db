"""A client that leaves behind input that a target does not take is given up, and no sooner."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from psm_console.broker.channel.coupling import CLOSE_S
from psm_console.broker.channel.live_channel import ChannelSession
from psm_console.broker.channel.relay import Relay
from psm_console.domain.live import Gate


async def test_what_a_pause_held_has_its_time_from_the_resume_on() -> None:
    gates, aborted = [Gate.HOLD], list[bool]()
    live = SimpleNamespace(input_gate=lambda pty: gates[-1])
    # Nothing else of a session is asked for.
    relay = Relay(cast(ChannelSession, SimpleNamespace(live=live)), 1)
    gone: Any = SimpleNamespace(_recv_state="close_pending", abort=lambda: aborted.append(True))
    relay.channel.operator = gone

    for at in (0.0, CLOSE_S, CLOSE_S * 10):
        relay.tick(at)
    gates.append(Gate.FORWARD)
    begin = CLOSE_S * 10 + 1
    for at in (begin, begin + CLOSE_S / 2):
        relay.tick(at)
    assert not aborted

    relay.tick(begin + CLOSE_S)
    assert aborted
