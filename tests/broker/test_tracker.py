"""Where a notice may stand in an output stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.broker.tracker import TerminalTracker


def after(*chunks: bytes) -> TerminalTracker:
    tracker = TerminalTracker()
    for chunk in chunks:
        tracker.observe(chunk)
    return tracker


@pytest.mark.parametrize(
    "unfinished",
    [
        b"\x1b", b"\x1b[", b"\x1b[31", b"\x1b[?25", b"\x1b]0;title", b"\x1bP1$r", b"\x1b_G",
        b"\x1b(", b"\x1b]8;;http://x\x1b", b"\xe2", b"\xe2\x82", b"\xf0\x9f\x98", b"ok\x1b]52;c;AA",
    ],
)  # fmt: skip
def test_inside_a_sequence_or_a_character_is_no_place(unfinished: bytes) -> None:
    assert not after(b"text", unfinished).between_sequences


@pytest.mark.parametrize(
    "finished",
    [
        b"", b"text", b"\x1b[31m", b"\x1b[?25l", b"\x1b]0;title\x07", b"\x1b]0;t\x1b\\", b"\x1b7",
        b"\x1b(B", b"\x1bP1$r\x1b\\", "€".encode(), "😀".encode(), b"\x1b[3\x18", b"\x1b]0;x\x18",
        b"\xff", b"\x80\x80\x80\x80",
    ],
)  # fmt: skip
def test_after_a_whole_one_is_a_place(finished: bytes) -> None:
    assert after(b"text", finished).between_sequences


def test_full_screen_is_known_without_the_alternate_screen() -> None:
    assert after(b"\x1b[?1049h").full_screen
    assert after(b"\x1b[?1h\x1b=").full_screen
    assert after(b"\x1b[?25l").full_screen
    assert not after(b"\x1b[?1049h", b"\x1b[?1049l").full_screen
    assert not after(b"\x1b[?2004h").full_screen


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_the_modes_do_not_hang_on_how_the_stream_was_cut(chunks: list[bytes]) -> None:
    stream = b"".join(chunks) + b"\x1b[?1;1049h"

    whole = after(stream)
    single = after(*(stream[i : i + 1] for i in range(len(stream))))

    assert whole.full_screen and single.full_screen
