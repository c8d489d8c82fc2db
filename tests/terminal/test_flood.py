"""Long runs of plain lines take a short cut that must not show."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from psm_console.terminal import Screen
from tests.terminal.streams import rows_of, streams

words = st.text("ab xyz│世界ｱé-", max_size=70)
lines = st.lists(words, min_size=1, max_size=60).map("\r\n".join)
sizes = st.sampled_from([(1, 1), (2, 3), (7, 4), (20, 5)])


def _both(size: tuple[int, int], chunks: list[bytes], history: int) -> tuple[Screen, Screen]:
    quick, slow = Screen(*size, history), Screen(*size, history)
    slow.skip_floods = False
    for chunk in chunks:
        quick.feed(chunk)
        slow.feed(chunk)
    return quick, slow


@given(sizes, streams, st.lists(lines, min_size=1, max_size=3), st.integers(0, 30))
@settings(max_examples=60)
def test_a_flood_leaves_screen_and_scrollback_as_if_it_were_drawn_line_by_line(
    size: tuple[int, int], before: bytes, floods: list[str], history: int
) -> None:
    chunks = [before + b"\x18", *((flood * 6).encode() for flood in floods), b"\r\nend"]

    quick, slow = _both(size, chunks, history)

    assert quick.snapshot() == slow.snapshot()
    assert rows_of(quick) == rows_of(slow)
    assert quick.dirty == slow.dirty


def test_a_flood_cut_between_carriage_return_and_line_feed_is_still_taken_whole() -> None:
    flood = b"some words of text\r\n" * 100

    quick, slow = _both((20, 5), [flood[:-1], b"\n" + flood], 50)

    assert quick.snapshot() == slow.snapshot()
    assert rows_of(quick) == rows_of(slow)
    assert quick.work < slow.work / 2


def test_lines_that_run_on_are_joined_in_scrollback_and_on_screen() -> None:
    screen = Screen(10, 3, 100)

    screen.feed(b"x" * 300 + b"\r\nend")

    assert [row.wrapped for row in screen.history.rows()] == [True] * 28
    assert screen.screen_text(join_wrapped=True) == "x" * 20 + "\nend"
