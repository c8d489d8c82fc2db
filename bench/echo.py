"""What a keystroke pays: from a key to its echo, through the broker, directly, and by `ssh -J`.

    python -m bench.echo [KEYS]

Three sessions with a terminal stand at once and get their keys in turn, one at a time. CPU is the
broker's worker alone.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.openssh import environment

from .figures import percentile, spread
from .lanes import LANES, Lanes, lanes

_PAUSE_S = 0.002


def main(keys: int = 2000) -> None:
    """Print a line a lane, and what the broker adds."""
    with ExitStack() as stack:
        way = stack.enter_context(lanes())
        typed = {lane: stack.enter_context(typing(way, lane)) for lane in LANES}
        for process in typed.values():
            for _ in range(50):
                echo(process, b"w")
        before, began = way.cpu_s(), time.monotonic()
        took: dict[str, list[float]] = {lane: [] for lane in LANES}
        for number in range(keys):
            key = b"%c" % (97 + number % 26)
            for lane, process in typed.items():
                took[lane].append(echo(process, key))
                time.sleep(_PAUSE_S)
        cpu, lasted = way.cpu_s() - before, time.monotonic() - began
        idle = _idle_cpu(way, min(lasted, 5.0))
    for lane in LANES:
        print(spread(lane, took[lane]))
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        direct, jump, broker = (percentile(took[lane], share) for lane in LANES)
        print(f"{name}: {broker - direct:+.3f} ms over direct, {broker - jump:+.3f} ms over jump")
    print(f"CPU: {(cpu - idle * lasted) / keys * 1e6:.0f} µs a key")


def _idle_cpu(way: Lanes, seconds: float) -> float:
    """Return the seconds of processor time that the worker takes in one, with nothing to do."""
    before = way.cpu_s()
    time.sleep(seconds)
    return (way.cpu_s() - before) / seconds


@contextmanager
def typing(way: Lanes, lane: str) -> Iterator[subprocess.Popen[bytes]]:
    """Open a terminal where a program gives each key back, as a shell's line editor does."""
    process = subprocess.Popen(
        way.ssh(lane, "-tt", "stty raw -echo; echo ready; exec cat"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    try:
        assert process.stdout is not None
        seen = b""
        while b"ready\n" not in seen.replace(b"\r", b""):
            seen += process.stdout.read(64) or b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def echo(process: subprocess.Popen[bytes], key: bytes) -> float:
    """Type a key; return milliseconds until it is back."""
    assert process.stdin is not None and process.stdout is not None
    began = time.perf_counter()
    process.stdin.write(key)
    found = process.stdout.read(1)
    took = (time.perf_counter() - began) * 1000
    assert found == key, (key, found)
    return took


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
