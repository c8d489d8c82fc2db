"""The limits of a session on a real clock: a warning first, then the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from psm_console.domain.session import Outcome, Verb
from tests.support.waiting import eventually_sync

from .stand import Stand

CONFIG = """
[limits]
idle_s = 4.0
duration_s = 9.0
pause_s = 2.0
warn_s = 1.0
channels = 3
"""


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker with limits of some seconds."""
    with Stand(config=CONFIG) as running:
        yield running


def test_an_idle_session_is_warned_and_ended_though_its_program_prints(stand: Stand) -> None:
    loop = "stty -echo; while :; do echo tick; sleep 0.1; done"
    with stand.client.terminal(stand.user, loop) as tty:
        tty.wait_for("this session ends in")
        assert tty.wait_exit() == 254
        assert "no input for 4 s" in tty.text


def test_typing_keeps_a_session_until_its_longest_duration(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")

        def ended() -> bool:
            tty.type("x")
            tty.read(0.1)
            return "the longest duration" in tty.text and "session ended by broker" in tty.text

        eventually_sync(ended, within_s=20, what="the longest duration")
        assert tty.wait_exit() == 254


def test_a_pause_at_its_maximum_ends_the_session(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        assert stand.order(stand.session(), Verb.PAUSE).outcome is Outcome.DONE
        assert tty.wait_exit() == 254
        assert "the longest a pause may last" in tty.text
    assert stand.last().ended_by == "broker"


def test_channels_past_the_cap_are_refused_with_the_number(stand: Stand) -> None:
    with stand.client.master(stand.user) as through:
        for _ in range(3):
            stand.popen("exec sleep 60", options=through)
        eventually_sync(lambda: len(stand.session().channels) == 3, what="three channels")

        refused = stand.client.run(stand.user, "id", options=through)

        assert b"3 channels are open" in refused.stderr and refused.stdout == b""
