"""What it costs to read a screen: runs for drawing, keyframes, dumps, text.

    python -m bench.terminal_views

A plain 200x50 screen, one with a colour change every eight columns, and one with another colour in
every cell. Milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bench.figures import spread
from psm_console.terminal import Screen

ROUNDS = 200


def main() -> None:
    """Measure and print."""
    for name, every in (("plain", 200), ("coloured", 8), ("rainbow", 1)):
        screen = _screen(200, 50, every)
        _measure(f"{name}: 50 changed lines as runs", partial(_changes, screen))
        _measure(f"{name}: no changed line", screen.take_changes)
        _measure(f"{name}: text", screen.screen_text)
    for name, every in (("plain", 120), ("coloured", 8)):
        screen = _screen(120, 40, every)
        keyframe = screen.snapshot()
        _measure(f"{name} 120x40: keyframe of {len(keyframe)} bytes", screen.snapshot)
        _measure(f"{name} 120x40: restore", partial(Screen.restore, keyframe))
        _measure(f"{name} 120x40: dump of {len(screen.dump())} bytes", screen.dump)


def _screen(columns: int, lines: int, every: int) -> Screen:
    """A screen full of different text whose colour changes every so many columns."""
    screen = Screen(columns, lines)
    for y in range(lines):
        screen.feed(b"\x1b[%dH" % (y + 1))
        for x in range(0, columns, every):
            word = "".join(chr(33 + (x * 7 + y * 13 + at * at) % 90) for at in range(every))
            screen.feed(f"\x1b[38;5;{16 + (x + y) % 200}m{word}".encode())
    return screen


def _changes(screen: Screen) -> None:
    screen.dirty.update(range(screen.lines))
    screen.take_changes()


def _measure(name: str, act: Callable[[], object]) -> None:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        act()
        times.append((time.process_time() - start) * 1000)
    print(spread(name, times))


if __name__ == "__main__":
    main()
