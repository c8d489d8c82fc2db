"""A broker under many sessions for a long time: whether memory, descriptors or echo times grow.

    python -m bench.soak [MINUTES [SESSIONS [FOLDER]]]

SESSIONS (300) are kept live for MINUTES (30) through `psm serve --workers 2`: each prints 200
bytes four times a second, types a key a second, and after 45 to 90 seconds makes room for the
next. Every two seconds the memory (RSS, MiB) and the descriptors of the supervisor, its workers
and the inspector are noted, and how long keys took to come back since (p50 and p99; the target
and all operators are in this process, whose own lag is noted beside it). FOLDER (psm-soak in the
temporary directory) gets soak.csv, soak.svg and, where there is a chromium, soak.png. Printed is
what the first and the last quarter of the full load say; at the end the audit log and the newest
recordings are verified.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh

from psm_console.demo.children import descendants
from tests.support.broker import Broker
from tests.support.sshd import write_key

from .door import CROWDED, Door
from .figures import percentile, spread
from .lanes import cpu_s
from .plot import Panel, draw, to_png
from .soaking import Crowd, target

FOLDER = Path(tempfile.gettempdir()) / "psm-soak"
SAMPLE_S = 2.0
VERIFIED = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one instant."""

    at_s: float
    sessions: int
    memory_mib: float
    descriptors: int
    cpu_percent: float
    echo_p50_ms: float
    echo_p99_ms: float
    own_lag_ms: float


def processes(broker: Broker) -> list[int]:
    """Return the broker's processes."""
    assert broker.process is not None
    return [broker.process.pid, *descendants(broker.process.pid)]


def held(broker: Broker) -> tuple[float, int, float]:
    """Return resident MiB, open descriptors and processor seconds of all its processes."""
    memory, descriptors, busy = 0.0, 0, 0.0
    for pid in processes(broker):
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            busy += cpu_s(pid)
        except OSError:
            continue  # it ended meanwhile
        memory += pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
    return memory, descriptors, busy


async def watch(broker: Broker, crowd: Crowd, seconds: float) -> list[Sample]:
    """Note what there is every `SAMPLE_S`."""
    samples: list[Sample] = []
    began = before = time.monotonic()
    _, _, busy = held(broker)
    while before - began < seconds:
        await asyncio.sleep(SAMPLE_S)
        now = time.monotonic()
        memory, descriptors, used = held(broker)
        echoes = crowd.take() or [0.0]
        samples.append(
            Sample(
                round(now - began, 1),
                crowd.live,
                round(memory, 1),
                descriptors,
                round(100 * (used - busy) / (now - before), 1),
                round(percentile(echoes, 0.5), 2),
                round(percentile(echoes, 0.99), 2),
                round((now - before - SAMPLE_S) * 1000, 2),
            )
        )
        before, busy = now, used
    return samples


async def run(broker: Broker, minutes: float, sessions: int, key: Path) -> list[Sample]:
    """Bring the target and the operators into being, and watch."""
    operator = asyncssh.read_private_key(str(key))
    host = asyncssh.generate_private_key("ssh-ed25519")
    async with target(host, operator) as port:
        broker.apply(_inventory(operator, host, port, key))
        door = Door(broker.host, broker.port, "ana+root@soak", str(key))
        crowd = Crowd(door, operator, sessions)
        stop = asyncio.Event()
        working = asyncio.create_task(crowd.work(stop))
        samples = await watch(broker, crowd, minutes * 60)
        stop.set()
        await working
    print(f"{crowd.sessions} sessions in all, {len(crowd.failures)} of them failed")
    for failure in sorted(set(crowd.failures))[:5]:
        print(f"  {failure}")
    return samples


def _inventory(operator: asyncssh.SSHKey, host: asyncssh.SSHKey, port: int, key: Path) -> str:
    line, host_line = (one.export_public_key().decode().strip() for one in (operator, host))
    return (
        f"[identities.ana]\nroles = ['operator']\nkeys = ['{line}']\n"
        f"[targets.soak]\naddress = '127.0.0.1:{port}'\nhost_keys = ['{host_line}']\n"
        f"[targets.soak.accounts.root]\ncredential = {{ key_file = '{key}' }}\n"
        "[[grants]]\noperator = 'ana'\naccount = 'root@soak'\n"
    )


def keep(folder: Path, title: str, samples: Sequence[Sample]) -> list[Path]:
    """Write the series and its picture; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    table, picture = folder / "soak.csv", folder / "soak.svg"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(samples[0])))
        writer.writeheader()
        writer.writerows(map(asdict, samples))
    panels = [
        Panel("sessions", {"live": [one.sessions for one in samples]}),
        Panel("memory, MiB", {"resident": [one.memory_mib for one in samples]}),
        Panel("descriptors", {"open": [one.descriptors for one in samples]}),
        Panel(
            "key to echo, ms",
            {
                "p99": [one.echo_p99_ms for one in samples],
                "p50": [one.echo_p50_ms for one in samples],
                "own lag": [one.own_lag_ms for one in samples],
            },
        ),
        Panel("processor, % of a core", {"broker": [one.cpu_percent for one in samples]}),
    ]
    draw(picture, title, [one.at_s for one in samples], panels)
    png = to_png(picture)
    return [table, picture, *([png] if png else [])]


def tell(samples: Sequence[Sample], sessions: int) -> None:
    """Print how the last quarter of the full load differs from its first."""
    full = [one for one in samples if one.sessions >= 0.9 * sessions] or list(samples)
    quarter = max(len(full) // 4, 1)
    for name, part in (("first quarter", full[:quarter]), ("last quarter", full[-quarter:])):
        print(f"{name} of the full load, {len(part)} samples:")
        for what, unit in (("memory_mib", "MiB"), ("descriptors", ""), ("echo_p50_ms", "ms")):
            print("  " + spread(what, [getattr(one, what) for one in part], unit))
        print("  " + spread("echo_p99_ms", [one.echo_p99_ms for one in part]))
        print("  " + spread("cpu_percent", [one.cpu_percent for one in part], "%"))


def verify(broker: Broker) -> None:
    """Hold the audit log and the newest recordings to their word."""
    print(broker.psm("audit", "verify", timeout_s=300).stdout.splitlines()[0])
    ended = [one["id"] for one in broker.sessions("--all") if one["state"] == "ended"]
    words = [
        broker.psm("recording", "verify", one, check=False).returncode == 0
        for one in ended[-VERIFIED:]
    ]
    print(f"of the newest {len(words)} recordings {sum(words)} verify")


def main(minutes: float = 30.0, sessions: int = 300, folder: Path = FOLDER) -> None:
    with Broker(config=CROWDED, serve=("--workers", "2")) as broker:
        key = broker.folder / "soak-key"
        write_key(key)
        samples = asyncio.run(run(broker, minutes, sessions, key))
        for path in keep(folder, f"{sessions} sessions for {minutes:g} minutes", samples):
            print(path)
        tell(samples, sessions)
        verify(broker)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        float(given[0]) if given else 30.0,
        int(given[1]) if given[1:] else 300,
        Path(given[2]) if given[2:] else FOLDER,
    )
