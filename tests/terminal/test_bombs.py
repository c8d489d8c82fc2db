"""What is sent to freeze or fill the watcher: work and memory stay bounded. Times are in bench/."""

from __future__ import annotations

import sys
from collections import deque

import pytest

from psm_console.terminal import Screen

KIB_64 = 65536
BOMBS: dict[str, bytes] = {
    "parameters": b"\x1b[" + b";1" * 500_000 + b"m",
    "digits": b"\x1b[" + b"9" * 500_000 + b"m",
    "command": b"\x1b]0;" + b"x" * 500_000,
    "device control": b"\x1bP" + b"q" * 500_000,
    "application": b"\x1b_G" + b"A" * 500_000,
    "marks": b"e" + "\u0301".encode() * 200_000,
    "orphan marks": "\u0301".encode() * 200_000,
    "line feeds": b"\n" * KIB_64,
    "tabs": b"\t\r" * (KIB_64 // 2),
    "resets": b"A\x1bc" * (KIB_64 // 3),
    "column modes": b"\x1b[?40h\x1b[?3h\x1b[?3l" * (KIB_64 // 16),
    "alternate screens": b"\x1b[?1049hA\x1b[?1049lB" * (KIB_64 // 18),
    "erasing": b"A\x1b[2J" * (KIB_64 // 5),
    "alignment": b"A\x1b#8" * (KIB_64 // 4),
    "lines in and out": b"\x1b[999L\x1b[999M" * (KIB_64 // 12),
    "scrolling": b"\x1b[999S\x1b[999T" * (KIB_64 // 12),
    "columns in and out": b"\x1b['}\x1b['~" * (KIB_64 // 8),
    "repeats": b"A\x1b[65535b" * (KIB_64 // 9),
    "protected": b'\x1b[1"qA\x1b[0"q' + b"\x1b[?2J" * (KIB_64 // 5),
    "titles": b"\x1b]0;" + b"t" * 900 + b"\x07\x1b[22t",
    "modes": b"".join(b"\x1b[?%dh" % number for number in range(9000)),
    "looks": b"".join(b"\x1b[38;2;%d;%d;9mA" % (n % 256, n // 256) for n in range(9000)),
    "controls": b"".join(b"\x1b[%d;%dx" % (n, n) for n in range(9000)),
}


@pytest.mark.attack
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_so_much_work_for_each_byte(name: str) -> None:
    screen = Screen(200, 50)
    screen.feed(b"some text that fills the screen " * 300)
    before = screen.work

    screen.feed(BOMBS[name])
    assert screen.work - before <= 24 * len(BOMBS[name])

    screen.feed(b"\x18\x1b\\\x1b[!p\x1b[0m\x1b[2J\x1b[Halive")
    assert screen.row_text(0).startswith("alive")


@pytest.mark.attack
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_leaves_nothing_large_behind(name: str) -> None:
    screen = Screen(40, 10, history=50)

    for _ in range(3):
        screen.feed(BOMBS[name])

    assert _weight(screen) < 6_000_000


def _weight(root: object) -> int:
    """Bytes of everything that is reachable only through containers and this package's objects."""
    seen: set[int] = set()
    waiting, total = [root], 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, (list, tuple, set, frozenset, deque)):
            waiting += list(each)
        if type(each).__module__.startswith("psm_console"):
            waiting += vars(each).values() if hasattr(each, "__dict__") else []
            slots = [slot for kind in type(each).__mro__ for slot in getattr(kind, "__slots__", ())]
            waiting += [getattr(each, slot) for slot in slots if hasattr(each, slot)]
    return total
