"""The blind-spot ledger of a session that is still at work."""

from __future__ import annotations

import pytest

from psm_console.domain.blind_spots import Coverage, coverage, recorded_as, unseen
from psm_console.domain.session import Channel, Outcome, Verb
from tests.support.waiting import eventually_sync

from .stand import Stand


def channel(stand: Stand) -> Channel:
    return stand.session().channels[0]


def test_what_can_not_be_seen_of_an_open_channel_is_known_while_it_is_open(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        eventually_sync(lambda: channel(stand).ledger.output_bytes > 0, what="its first count")
        assert coverage(channel(stand)) is Coverage.WHOLE

        tty.type("secret\n")
        eventually_sync(lambda: channel(stand).ledger.input_bytes == 7, what="the typed bytes")
        assert coverage(channel(stand)) is Coverage.PART
        assert channel(stand).closed_at is None
        assert stand.order(stand.session(), Verb.PAUSE).outcome is Outcome.DONE
        tty.type("more\n")

        eventually_sync(lambda: channel(stand).ledger.discarded_bytes == 5, what="what was lost")

        assert unseen(stand.session().channels) == (
            "Not to be seen: 7 bytes typed (counted, as the policy keeps it out); "
            "5 bytes typed in a pause (thrown away: the target never got it)."
        )
        stand.order(stand.session(), Verb.RESUME)


@pytest.mark.parametrize("command", ["cat", "cat >&2"])
def test_a_pipe_of_which_every_byte_is_kept_has_none(stand: Stand, command: str) -> None:
    done = stand.client.run(stand.user, command, stdin=b"\x00\xff" * 400)

    assert len(done.stdout) + done.stderr.count(b"\x00") >= 400
    ended = stand.last().channels[0]
    assert (coverage(ended), recorded_as(ended)) == (Coverage.WHOLE, "all as bytes")


def test_the_counts_of_a_session_are_those_of_its_channels_however_short_it_was(
    stand: Stand,
) -> None:
    assert stand.client.run(stand.user, "cat", stdin=b"12345").stdout == b"12345"

    ended = stand.last()

    ledger = ended.channels[0].ledger
    assert (ended.output_bytes, ended.input_bytes) == (5, 5)
    assert (ledger.output_bytes, ledger.input_bytes) == (5, 5)
