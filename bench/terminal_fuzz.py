"""Generated and mutated streams: no exception, one screen for any cut, exact keyframes and dumps.

    python -m bench.terminal_fuzz [COUNT] [SEED]

Half of the streams are made of pieces that mean something, the rest of noise and of recordings with
bytes changed. The first failure is printed as bytes that can go into a test, and ends the run.
"""

from __future__ import annotations

import base64
import random
import sys
import time
from collections.abc import Callable

from bench.terminal_inputs import recordings
from psm_console.terminal import Screen
from tests.terminal.streams import SEQUENCES, TEXTS, fed, rows_of

SIZES = [(1, 1), (2, 2), (5, 3), (10, 4), (20, 6), (80, 24)]
PIECES = [*SEQUENCES, *TEXTS, b"word " * 60, b"line\r\n" * 60, "世界".encode() * 60]


def main(count: int = 10_000, seed: int = 1) -> int:
    """Fuzz and report."""
    source = random.Random(seed)
    recorded = [
        b"".join(base64.b64decode(data) for code, data in recording["events"] if code == "o")
        for recording in recordings()
    ]
    start = time.monotonic()
    for number in range(count):
        size, data = source.choice(SIZES), _stream(source, recorded)
        try:
            _check(size, data, source)
        except Exception as error:  # whatever it is: this is what is looked for
            print(f"stream {number} of seed {seed} on {size}: {error!r}\n{data!r}")
            return 1
    print(f"{count} streams of seed {seed} without a fault in {time.monotonic() - start:.0f} s")
    return 0


def _stream(source: random.Random, recorded: list[bytes]) -> bytes:
    kind = source.random()
    if kind < 0.5 or not recorded:
        return b"".join(source.choice(PIECES) for _ in range(source.randint(1, 120)))
    if kind < 0.6:
        return source.randbytes(source.randint(1, 400))
    recording = source.choice(recorded)
    at = source.randrange(len(recording))
    data = bytearray(recording[at : at + source.randint(1, 2000)])
    for _ in range(source.randint(0, 12)):
        place = source.randrange(len(data))
        if source.random() < 0.5:
            data[place] = source.randrange(256)
        else:
            data[place:place] = source.choice(PIECES)
    return bytes(data)


def _check(size: tuple[int, int], data: bytes, source: random.Random) -> None:
    whole = fed(size, data)
    for chunks in (_cut(data, lambda: 1), _cut(data, lambda: source.randint(1, 9))):
        cut = fed(size, *chunks)
        assert cut.snapshot() == whole.snapshot(), "another screen when cut"
        assert rows_of(cut) == rows_of(whole), "another scrollback when cut"
    slow = Screen(*size, 20)
    slow.skip_floods = False
    slow.feed(data)
    assert slow.snapshot() == whole.snapshot(), "another screen without the short cut for floods"
    restored = Screen.restore(whole.snapshot())
    assert restored.snapshot() == whole.snapshot(), "another screen out of the keyframe"
    assert fed(size, whole.dump()).same_as(whole), "another screen out of the dump"
    for lines, columns in ((source.randint(1, 30), source.randint(1, 90)), size[::-1]):
        whole.resize(lines, columns)
        whole.feed(data)
    assert {len(whole.buffer[y]) for y in whole.buffer} == {whole.columns}, "a row of another width"
    assert len(whole.display) == whole.lines and whole.cursor.x <= whole.columns, "a broken screen"


def _cut(data: bytes, length: Callable[[], int]) -> list[bytes]:
    """The data in chunks, each as long as `length` says then."""
    chunks, at = [], 0
    while at < len(data):
        end = at + length()
        chunks.append(data[at:end])
        at = end
    return chunks


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
