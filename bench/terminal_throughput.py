"""How fast the terminal takes what programs send, against stock pyte in the same run.

    python -m bench.terminal_throughput

Ours keeps 1000 lines of scrollback. Stock is `pyte.Screen`, which keeps none; `history` is
`pyte.HistoryScreen` with 1000. Processor time, best of three; megabytes a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import pyte

from bench.terminal_inputs import CORPUS, Input, floods, programs
from psm_console.terminal import Screen

CHUNK = 65536
STOCK_BYTES = 60_000
"""Stock pyte gets the first part of an input only, or this would take minutes."""


def main() -> None:
    """Measure and print."""
    if not CORPUS.exists():
        print(f"no recordings at {CORPUS}: only what is made here is measured")
    _table("screen programs", programs())
    _table("floods", floods())


def _table(title: str, inputs: list[Input]) -> None:
    print(f"\n{title:<20} {'ours':>8} {'stock':>8} {'history':>8} {'x stock':>8} {'x history':>9}")
    ratios, with_history = [], []
    for each in inputs:
        ours = max(rate(each.data, CHUNK, Screen(each.columns, each.lines).feed) for _ in range(3))
        part = each.data[:STOCK_BYTES]
        stock = rate(part, 4096, stock_feed(pyte.Screen(each.columns, each.lines)))
        kept = rate(part, 4096, stock_feed(pyte.HistoryScreen(each.columns, each.lines, 1000)))
        ratios.append(ours / stock)
        with_history.append(ours / kept)
        print(
            f"{each.name:<20} {ours:8.2f} {stock:8.3f} {kept:8.3f} "
            f"{ratios[-1]:8.1f} {with_history[-1]:9.1f}"
        )
    print(
        f"{'geometric mean':<46} {geometric_mean(ratios):8.1f} {geometric_mean(with_history):9.1f}"
    )


def rate(data: bytes, chunk: int, feed: Callable[[bytes], None]) -> float:
    """Megabytes a second of processor time."""
    start = time.process_time()
    for at in range(0, len(data), chunk):
        feed(data[at : at + chunk])
    return len(data) / (time.process_time() - start) / 1e6


def stock_feed(screen: pyte.Screen) -> Callable[[bytes], None]:
    """Stock pyte's feed; where it raises, the rest of the chunk is lost, which flatters it."""
    stream = pyte.ByteStream(screen)

    def feed(data: bytes) -> None:
        try:
            stream.feed(data)
        except (TypeError, ValueError, AssertionError, IndexError):
            return

    return feed


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


if __name__ == "__main__":
    main()
