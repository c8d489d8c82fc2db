"""However a stream is cut, the screen is the same; and no stream raises."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.terminal.streams import fed, rows_of, sizes, streams


@given(sizes, streams)
def test_one_byte_at_a_time_gives_the_screen_of_the_whole(
    size: tuple[int, int], data: bytes
) -> None:
    whole = fed(size, data)
    single = fed(size, *(data[at : at + 1] for at in range(len(data))))

    assert single.snapshot() == whole.snapshot()
    assert rows_of(single) == rows_of(whole)


@given(sizes, streams, st.lists(st.integers(0, 400), max_size=6))
def test_any_cut_gives_the_screen_of_the_whole(
    size: tuple[int, int], data: bytes, cuts: list[int]
) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]

    cut = fed(size, *(data[a:b] for a, b in pairwise(places)))

    assert cut.snapshot() == fed(size, data).snapshot()


@given(sizes, st.binary(max_size=300))
@settings(max_examples=50)
def test_rubbish_leaves_a_whole_screen(size: tuple[int, int], data: bytes) -> None:
    screen = fed(size, data)

    assert [len(screen.buffer[y]) for y in screen.buffer] == [screen.columns] * screen.lines
    assert 0 <= screen.cursor.x <= screen.columns
    assert 0 <= screen.cursor.y < screen.lines


KEPT: list[tuple[tuple[int, int], bytes]] = [
    ((20, 6), b"\xe2\x80\x8dn("),
    ((20, 6), b"\x1b\nP\x1b"),
    ((1, 1), "👨世世".encode()),
    ((10, 4), b"0" * 260 + "H世".encode()),
    ((20, 6), b"\x1b[31m\x1b[5m\x1b[38;2;300;1;1m"),
    ((20, 6), b"\xe2\x80\xae\x1b(0\x1bOe\ne\r"),
    ((20, 6), b"x\x1bPabc\xc2\x9c\x1b[3b"),
    ((20, 6), b"x\x1b[" + b"1" * 2000 + b"m\x1b[3b"),
]
"""Streams that once gave different screens when cut; fuzzing found most of them."""


@pytest.mark.parametrize(("size", "data"), KEPT)
def test_streams_that_once_depended_on_their_cut_do_not(size: tuple[int, int], data: bytes) -> None:
    whole = fed(size, data)

    for length in (1, 2, 7):
        cut = fed(size, *(data[at : at + length] for at in range(0, len(data), length)))
        assert cut.snapshot() == whole.snapshot()
        assert rows_of(cut) == rows_of(whole)


def test_a_character_cut_in_two_is_one_character() -> None:
    screen = fed((10, 2), b"a\xe4\xb8")
    assert not screen.idle

    screen.feed(b"\x96b")

    assert screen.idle
    assert screen.display[0].rstrip() == "a世b"


def test_an_endless_control_sequence_ends_the_same_way_in_any_chunks() -> None:
    data = b"\x1b[" + b"1;" * 3000 + b"mtext"

    whole = fed((20, 2), data)
    cut = fed((20, 2), *(data[at : at + 7] for at in range(0, len(data), 7)))

    assert whole.display[0].rstrip() == "text"
    assert cut.snapshot() == whole.snapshot()


def test_the_credit_for_bombs_runs_out_at_the_same_byte_in_any_chunks() -> None:
    data = b"A\x1b['}" * 4000

    whole = fed((40, 12), data)
    cut = fed((40, 12), *(data[at : at + 997] for at in range(0, len(data), 997)))

    assert cut.snapshot() == whole.snapshot()
