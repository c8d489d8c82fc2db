"""A dump fed to a fresh screen makes it the same."""

from __future__ import annotations

from hypothesis import given

from psm_console.terminal import Screen
from tests.terminal.streams import fed, sizes, streams


@given(sizes, streams, streams)
def test_a_dump_rebuilds_the_screen_and_what_it_will_do_next(
    size: tuple[int, int], before: bytes, after: bytes
) -> None:
    screen = fed(size, before)

    rebuilt = fed(size, screen.dump())
    assert rebuilt.same_as(screen)
    for each in (rebuilt, screen):
        each.feed(b"\x18." + after)

    assert rebuilt.display == screen.display


def test_a_dump_replaces_whatever_was_there() -> None:
    screen = fed((10, 3), b"\x1b[2;3Hone")
    other = fed((10, 3), b"\x1b[?1049h\x1b[?6h\x1b[4h\x1b(0two\x1b]0;")

    other.feed(screen.dump())

    assert other.same_as(screen)


def test_wrapped_lines_are_wrapped_again() -> None:
    screen = fed((5, 4), b"abcdefgh\r\nij")

    rebuilt = fed((5, 4), screen.dump())

    assert rebuilt.screen_text(join_wrapped=True) == "abcdefgh\nij"


def test_a_dump_of_an_empty_screen_is_short() -> None:
    assert len(Screen(80, 24).dump()) < 100
