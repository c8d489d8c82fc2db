"""What is said of a channel's recording: all that it does not show, and nothing more."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from psm_console.domain.blind_spots import (
    Coverage,
    blind_spots,
    coverage,
    recorded_as,
    unseen,
)
from psm_console.domain.names import SessionId
from psm_console.domain.session import Channel, ChannelKind, Ledger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def channel(
    kind: ChannelKind = ChannelKind.EXEC, *, pty: bool = False, **ledger: object
) -> Channel:
    made = replace(Ledger(input_recorded="bytes"), **ledger)  # type: ignore[arg-type]
    return Channel(SessionId("s"), 1, kind, pty, "x", "1-exec.cast", NOON, ledger=made)


def test_a_channel_of_which_all_bytes_are_kept_has_no_blind_spot() -> None:
    whole = channel(output_bytes=900, input_bytes=80, raw_bytes=300)

    assert blind_spots(whole) == ()
    assert (coverage(whole), recorded_as(whole)) == (Coverage.WHOLE, "all as bytes")
    assert unseen([whole]) == "Everything that went by is recorded as bytes."


def test_what_was_typed_is_a_blind_spot_where_policy_keeps_it_out() -> None:
    typed = channel(ChannelKind.SHELL, pty=True, input_recorded="counts", input_bytes=1234)

    assert coverage(typed) is Coverage.PART
    assert recorded_as(typed) == "screen as bytes, typing counted"
    assert unseen([typed]) == (
        "Not to be seen: 1,234 bytes typed (counted, as the policy keeps it out)."
    )


def test_nothing_is_unseen_of_a_screen_at_which_nothing_was_typed() -> None:
    assert coverage(channel(ChannelKind.SHELL, pty=True, input_recorded="counts")) is Coverage.WHOLE


def test_transfers_are_told_as_operations_and_digests() -> None:
    files = channel(ChannelKind.SFTP, input_recorded="digest", digest_bytes=2048, operations=3)

    assert coverage(files) is Coverage.DIGEST
    assert recorded_as(files) == "file operations, contents as SHA-256"
    assert unseen([files]) == (
        "Not to be seen: 2,048 bytes of file transfer (operations, sizes and SHA-256 are kept)."
    )


def test_a_forward_is_told_with_what_it_seems_to_carry() -> None:
    forward = channel(
        ChannelKind.FORWARD, input_recorded="digest", digest_bytes=70, protocol="postgres"
    )

    assert recorded_as(forward) == "metered, contents as SHA-256, postgres"
    assert "70 bytes forwarded (destination, first bytes" in unseen([forward])


def test_the_same_blind_spot_of_several_channels_is_told_once_with_its_sum() -> None:
    past = channel(output_bytes=900, digest_bytes=500)
    lost = channel(ChannelKind.SHELL, pty=True, discarded_bytes=1)

    assert recorded_as(past) == "all as bytes, past the quota as SHA-256"
    assert unseen([past, lost, past], lambda count: f"{count} B") == (
        "Not to be seen: 1000 B past a channel's quota (only SHA-256 is kept); "
        "1 B typed in a pause (thrown away: the target never got it)."
    )


def test_a_session_that_opened_nothing_is_not_told_as_recorded() -> None:
    assert unseen([]) == "No channel was opened: there was nothing to record."


@pytest.mark.parametrize("kind", list(ChannelKind))
def test_every_kind_of_channel_is_told_in_words_of_its_own_when_it_is_digested(
    kind: ChannelKind,
) -> None:
    digested = channel(kind, input_recorded="digest", digest_bytes=1, output_bytes=1)

    assert coverage(digested) is Coverage.DIGEST
    if kind not in (ChannelKind.SHELL, ChannelKind.EXEC):  # these are never digested whole
        assert recorded_as(digested) != "contents as SHA-256"


def test_no_count_of_the_ledger_is_forgotten() -> None:
    """A new field says bytes that went unseen, or stands here as one that did not."""
    told = {"output_bytes", "raw_bytes", "operations", "input_recorded", "protocol"}
    unseen_ones = {"input_bytes", "digest_bytes", "discarded_bytes"}

    assert {field.name for field in fields(Ledger)} == told | unseen_ones
