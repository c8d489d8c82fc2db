"""Keyframes give the screen back, and bytes that are none are refused."""

from __future__ import annotations

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_console.terminal import KeyframeError, Screen
from tests.terminal.streams import fed, sizes, streams


@given(sizes, streams, streams)
def test_a_screen_read_back_goes_on_like_the_first(
    size: tuple[int, int], before: bytes, after: bytes
) -> None:
    screen = fed(size, before)

    restored = Screen.restore(screen.snapshot())
    assert restored.same_as(screen)
    restored.feed(after)
    screen.feed(after)

    assert restored.snapshot() == screen.snapshot()


def test_a_keyframe_of_an_ordinary_screen_is_a_few_kilobytes() -> None:
    screen = Screen(120, 40)
    for line in range(60):
        screen.feed(f"\x1b[3{line % 8}mline {line * 7919}\x1b[0m of some program\r\n".encode())

    assert len(screen.snapshot()) < 3000


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_rubbish_is_not_a_keyframe(data: bytes) -> None:
    with pytest.raises(KeyframeError):
        Screen.restore(data)


@given(st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=80)
def test_a_damaged_keyframe_is_refused_or_gives_a_whole_screen(at: int, flip: int) -> None:
    content = bytearray(
        zstandard.decompress(fed((20, 4), b"\x1b[31mred\x1b7 \xe4\xb8\x96").snapshot())
    )
    content[at % len(content)] ^= flip
    damaged = zstandard.compress(bytes(content))

    try:
        screen = Screen.restore(damaged)
    except KeyframeError:
        return
    screen.feed(b"text\r\n\x1b8\x1b[999C more\x1b[?1049l")
    assert len(screen.display) == screen.lines


def test_a_compression_bomb_is_refused() -> None:
    bomb = zstandard.compress(bytes(200_000_000))

    with pytest.raises(KeyframeError, match="size"):
        Screen.restore(bomb)


def test_an_unknown_format_is_named() -> None:
    state = msgspec.msgpack.decode(zstandard.decompress(Screen(3, 2).snapshot()))
    state[0] = 99

    with pytest.raises(KeyframeError, match="format 99"):
        Screen.restore(zstandard.compress(msgspec.msgpack.encode(state)))


def test_the_scrollback_is_not_in_a_keyframe() -> None:
    screen = fed((10, 2), b"a\r\nb\r\nc")

    assert len(Screen.restore(screen.snapshot()).history) == 0


def test_the_parser_goes_on_in_the_middle_of_a_sequence_and_of_a_character() -> None:
    for begun, rest, shown in (
        (b"\x1b[3", b"1mx", "x"),
        (b"\xe4\xb8", b"\x96", "世"),
        (b"\x1b]0;ti", b"tle\x07x", "x"),
        (b"\x1bPabc", b"def\x1b\\x", "x"),
        (b"\x1b[" + b"1" * 2000, b"mx", "x"),
    ):
        restored = Screen.restore(fed((10, 2), begun).snapshot())
        restored.feed(rest)

        assert restored.display[0].rstrip() == shown
