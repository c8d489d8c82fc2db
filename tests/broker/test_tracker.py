"""Where a notice may stand in an output stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.broker.notice.tracker import Place, TerminalTracker
from psm_console.domain.session import Size
from psm_console.terminal import Screen

_CUTS = [b"\x1b]0;", b"\x1bP", b"\x1b_", b"\x1b\\", b"\x07", b"\x18", b"\x1b[1m", b"\x1b[?1h",
         b"\x1bc", b"text", b"x" * 100]  # fmt: skip


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


@pytest.mark.parametrize("kind", [b"]52;c;", b"P1$r", b"_G", b"^", b"X"])
def test_a_string_that_began_long_ago_is_no_place_until_it_ends(kind: bytes) -> None:
    """A picture or a clipboard may take megabytes: text put into it would end it."""
    chunks = [b"A" * 1000] * 9
    assert not after(b"\x1b" + kind, *chunks).between_sequences
    assert not after(b"\x1b" + kind + b"".join(chunks)).between_sequences
    for end in (b"\x1b\\", b"\x18"):
        assert after(b"\x1b" + kind, *chunks, end, b"$ ").between_sequences
    assert after(b"\x1b" + kind, *chunks, b"\x1b", b"\\").between_sequences


@pytest.mark.parametrize("size", [600, 4200, 9000, 70000])
@pytest.mark.parametrize("cut", [100, 4096, 1 << 20])
def test_a_clipboard_or_picture_before_a_prompt_is_not_taken_for_its_line(
    size: int, cut: int
) -> None:
    for string in (b"\x1b]52;c;" + b"A" * size + b"\x07", b"\x1bPq" + b"A" * size + b"\x1b\\"):
        stream = b"one\r\n" + string + b"\x1b]0;title\x07\x1b[?2004h$ ls -l"
        chunks = [stream[at : at + cut] for at in range(0, len(stream), cut)]

        assert after(*chunks).place(Size(40, 10)) == Place()


def test_a_bell_ends_only_an_osc() -> None:
    assert after(b"\x1b]0;" + b"t" * 9000, b"\x07").between_sequences
    assert not after(b"\x1bP" + b"t" * 9000, b"\x07").between_sequences


@pytest.mark.parametrize(
    "unfinished", [b"\x1b[38;5", b"\x1b]0;ti", b"\x1bP1$r", b"\xf0\x9f", b"\x1b"]
)
def test_what_was_cut_short_is_known_to_be_written_again(unfinished: bytes) -> None:
    assert after(b"text\x1b[1mtext", unfinished).unfinished == unfinished


def test_the_rest_of_a_long_string_is_not_drawn_as_text_after_a_notice() -> None:
    for start, end in ((b"\x1b]52;c;", b"\x07"), (b"\x1bPq", b"\x1b\\")):
        cut = [start, b"A" * 9000]
        screen = Screen(40, 5)
        for data in (*cut, b"\x18notice ", after(*cut).unfinished, b"B" * 50, end, b"text"):
            screen.feed(data)

        assert screen.screen_text() == "notice text"


def test_full_screen_is_known_without_the_alternate_screen() -> None:
    top = b"\x1b[?1h\x1b=\x1b[?25l\x1b[H\x1b[2J"
    assert after(b"\x1b[?1049h").full_screen
    assert after(top).full_screen
    assert after(b"\x1b[?1h\x1b=\x1b[2J\x1b[24;1H").full_screen  # an editor on a vt100
    assert after(b"\x1b[?25l", b"\x1b[12d").full_screen
    assert not after(b"\x1b[?1049h", b"\x1b[?1049l").full_screen
    assert not after(b"\x1b[?2004h").full_screen


def test_a_line_editor_and_a_progress_bar_are_not_full_screen() -> None:
    assert not after(b"\x1b[?1h\x1b=% ls").full_screen  # zsh
    assert not after(b"\x1b[?25l\r 50 %").full_screen
    assert not after(b"\x1b[?1h\x1b[24;1H:q\x1b[?1l", b"\x1b[?1h% ls").full_screen


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_the_modes_do_not_hang_on_how_the_stream_was_cut(chunks: list[bytes]) -> None:
    stream = b"".join(chunks) + b"\x1b[?1;1049h"

    whole = after(stream)
    single = after(*(stream[i : i + 1] for i in range(len(stream))))

    assert whole.full_screen and single.full_screen


@given(st.lists(st.sampled_from(_CUTS), max_size=12), st.data())
def test_being_inside_a_string_does_not_hang_on_how_the_stream_was_cut(
    pieces: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert after(*chunks).between_sequences == after(stream).between_sequences
