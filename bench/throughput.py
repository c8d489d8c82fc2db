"""What a byte pays: megabytes a second through the broker, beside direct ssh and `ssh -J`.

    python -m bench.throughput [MEGABYTES] [ROUNDS] [WORDS]

Every transfer runs over a connection that stands already, an empty one of its kind is taken off,
the lanes take turns in each round, and what arrived is compared by its SHA-256. WORDS choose rows.
CPU is the broker's worker alone, recording included.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.openssh import environment

from .lanes import LANES, Lanes, lanes

_LINE = b"%08d the quick brown fox jumps over \x1b[1;34mthe lazy dog\x1b[0m and runs away\n"


@dataclass(frozen=True, slots=True)
class Material:
    """What is sent, an empty file to take the overhead from, and where it arrives."""

    folder: Path
    bulk: Path
    text: Path
    empty: Path

    @property
    def there(self) -> Path:
        """Where it arrives."""
        return self.folder / "arrived"


Trial = Callable[[Lanes, str, Path, Material], None]
"""Sends a file through a lane, or fetches it; it lies at `Material.there` after."""


def exec_out(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Read a file by a command."""
    with material.there.open("wb") as out:
        _run(way.ssh(lane, f"cat {given}"), stdout=out)


def exec_in(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Write a file by a command."""
    with given.open("rb") as source:
        _run(way.ssh(lane, f"cat > {material.there}"), stdin=source)


def pty_out(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Print a text at a terminal."""
    with material.there.open("wb") as out:
        _run(way.ssh(lane, "-tt", f"stty -opost; cat {given}"), stdout=out)


def sftp_get(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Fetch with OpenSSH's sftp."""
    _sftp(way, lane, f"get {given} {material.there}\n", material)


def sftp_put(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Send with OpenSSH's sftp."""
    _sftp(way, lane, f"put {given} {material.there}\n", material)


def scp_get(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Fetch with scp in its old protocol; the new one is sftp."""
    _run(["scp", "-O", "-q", "-F", str(way.config), f"{lane}:{given}", str(material.there)])


def scp_put(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Send with scp in its old protocol."""
    _run(["scp", "-O", "-q", "-F", str(way.config), str(given), f"{lane}:{material.there}"])


def rsync_get(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Fetch with rsync."""
    _run(["rsync", "-We", f"ssh -F {way.config}", f"{lane}:{given}", str(material.there)])


def rsync_put(way: Lanes, lane: str, given: Path, material: Material) -> None:
    """Send with rsync."""
    _run(["rsync", "-We", f"ssh -F {way.config}", str(given), f"{lane}:{material.there}"])


def _sftp(way: Lanes, lane: str, batch: str, material: Material) -> None:
    path = material.folder / "batch"
    path.write_text(batch)
    _run(["sftp", "-q", "-F", str(way.config), "-b", str(path), lane])


ROWS: dict[str, Trial] = {
    "exec out": exec_out,
    "exec in": exec_in,
    "sftp get": sftp_get,
    "sftp put": sftp_put,
    "scp -O get": scp_get,
    "scp -O put": scp_put,
    "rsync get": rsync_get,
    "rsync put": rsync_put,
    "pty out, text": pty_out,
}


def main(megabytes: int = 600, rounds: int = 3, words: Sequence[str] = ()) -> None:
    """Print a line a row."""
    folder = Path(tempfile.mkdtemp(prefix="psm-bench-", dir=_memory()))
    try:
        material = _material(folder, megabytes << 20)
        with lanes() as way:
            print(f"{'':16}{'MB/s: direct':>14}{'jump':>8}{'broker':>8}", end="", flush=True)
            print(f"{'÷ direct':>10}{'÷ jump':>8}{'CPU ms/MB':>11}")
            for name, trial in ROWS.items():
                if not words or any(word in name for word in words):
                    print(_row(name, trial, way, material, rounds), flush=True)
    finally:
        shutil.rmtree(folder)


def _row(name: str, trial: Trial, way: Lanes, material: Material, rounds: int) -> str:
    given = material.text if trial is pty_out else material.bulk
    size, digest = given.stat().st_size, _digest(given)
    took: dict[str, list[float]] = {lane: [] for lane in LANES}
    cpu: list[float] = []
    for _ in range(rounds):
        for lane in LANES:
            trial(way, lane, material.empty, material)
            before, began = way.cpu_s(), time.perf_counter()
            trial(way, lane, material.empty, material)
            empty = time.perf_counter() - began
            began = time.perf_counter()
            trial(way, lane, given, material)
            took[lane].append(max(time.perf_counter() - began - empty, 1e-3))
            assert _digest(material.there) == digest, f"{name} by {lane}: other bytes arrived"
            if lane == "broker":
                cpu.append(way.cpu_s() - before)
    best = {lane: size / min(values) / 1e6 for lane, values in took.items()}
    speeds = "".join(
        f"{best[lane]:>{width}.0f}" for lane, width in zip(LANES, (14, 8, 8), strict=True)
    )
    ratios = [
        statistics.median(
            other / ours for other, ours in zip(took[lane], took["broker"], strict=True)
        )
        for lane in ("direct", "jump")
    ]
    paid = statistics.median(cpu) * 1e3 / (size / 1e6)
    return f"{name:16}{speeds}{ratios[0]:>10.2f}{ratios[1]:>8.2f}{paid:>11.2f}"


def _material(folder: Path, size: int) -> Material:
    material = Material(folder, folder / "bulk", folder / "text", folder / "empty")
    block = os.urandom(8 << 20)
    with material.bulk.open("wb") as out:
        for number in range(-(-size // len(block))):
            out.write(number.to_bytes(8, "big") + block[8:])
        out.truncate(size)
    with material.text.open("wb") as out:
        for number in range(0, size // len(_LINE % 0), 1000):
            out.write(b"".join(_LINE % line for line in range(number, number + 1000)))
    material.empty.touch()
    return material


def _memory() -> str | None:
    """Return a folder in memory, so that no disk is measured but the recording's."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(argv: Sequence[str], *, stdin: object = subprocess.DEVNULL, stdout: object = None) -> None:
    subprocess.run(argv, stdin=stdin, stdout=stdout, check=True, env=environment())  # type: ignore[call-overload]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    numbers = [int(word) for word in arguments if word.isdecimal()] + [0, 0]
    chosen = [word for word in arguments if not word.isdecimal()]
    main(numbers[0] or 600, numbers[1] or 3, chosen)
