"""Any instant of a long recording: `python -m bench.seek [--megabytes 80]`.

Makes an hour's recording of 120×40, builds its index, seeks to random instants; then attaches to a
live one. CPU time of the thread stands beside the clock's, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import spread
from bench.recording_material import make_recording
from psm_console.recording.cast import CastFile
from psm_console.recording.keyframes import sidecar
from psm_console.recording.live import Follower
from psm_console.recording.live_index import LiveIndex
from psm_console.recording.projector import Projector
from psm_console.recording.recording import Recording
from psm_console.terminal import Screen


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return milliseconds by the clock and of CPU."""
    clock, spent = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - clock) * 1e3, (time.thread_time() - spent) * 1e3


def index(path: Path) -> None:
    """Build the index and say how long it took and how large it is."""
    size = path.stat().st_size
    clock, spent = timed(lambda: Recording.open(path).close())
    share = sidecar(path).stat().st_size / size * 100
    print(
        f"index: {size / 1e6:.0f} MB in {clock / 1e3:.1f} s = {size / 1e3 / clock:.1f} MB/s"
        f" ({size / 1e3 / spent:.1f} MB a second of CPU), {share:.1f} % of the recording"
    )
    clock, _ = timed(lambda: Recording.open(path).close())
    print(f"open with an index: {clock:.1f} ms")


def seek(path: Path, count: int) -> None:
    """Seek to random instants."""
    chance = random.Random(1)
    with Recording.open(path) as recording:
        moments = [chance.random() * recording.duration for _ in range(count)]
        times = [timed(lambda at=at: recording.screen_at(at)) for at in moments]  # type: ignore[misc]
    print(spread("seek, by the clock", [clock for clock, _ in times]))
    print(spread("seek, CPU", [spent for _, spent in times]))


def replay(path: Path) -> None:
    """Feed the whole recording, as a player without an index has to."""
    with CastFile(path) as cast:
        size = cast.header.size
        projector = Projector(Screen(size.columns, size.rows, history=0))

        def feed() -> None:
            for step in cast.steps():
                projector.show(step.event)

        clock, _ = timed(feed)
    print(f"the same without an index, to the end: {clock / 1e3:.1f} s")


def attach(path: Path, megabytes: int) -> None:
    """Attach to a live recording that is `megabytes` long, with and without keyframes."""
    live = path.parent / "live" / path.name
    live.parent.mkdir()
    with path.open("rb") as source:
        live.write_bytes(source.read(megabytes << 20).rpartition(b"\n")[0] + b"\n")
    indexed = LiveIndex(live)
    while not indexed.at_end:
        indexed.advance()
    indexed.close()
    times = []
    for _ in range(20):
        with_keyframe = timed(lambda: catch_up(live))
        times.append(with_keyframe[0])
    print(spread(f"attach to a live one of {megabytes} MB", times))


def catch_up(path: Path) -> None:
    """Attach and have the exact screen."""
    with Follower(path) as follower:
        follower.catch_up()


def main() -> None:
    """Make the recording and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=80)
    parser.add_argument("--seeks", type=int, default=500)
    parser.add_argument("--replay", action="store_true", help="also feed it from the start")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make_recording(Path(folder), options.megabytes << 20)
        index(path)
        seek(path, options.seeks)
        if options.replay:
            replay(path)
        attach(path, min(50, options.megabytes))


if __name__ == "__main__":
    main()
