"""How many busy sessions one core carries before its loop comes too late.

    python -m bench.crowd [SECONDS [SESSIONS …]]

One worker of the broker has a core for itself; a target and operators (bench/crowding.py) share
the others. A session is a terminal that prints 4 × 200 bytes a second and is typed into, a key a
second, each echoed. With SESSIONS (50, 300, 600, 900, 1200) live, for SECONDS (20), are told: how
late the worker's loop came to what it wanted to do (every 10 ms), what a session-second cost it
(net of what it needs without any session, which is told first), how long keys took to come back,
and the lag and load of who made all that: where those are high, the figures are theirs and not
the worker's. Supervisor and inspector do not run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .crowding import Told
from .figures import percentile
from .lanes import cpu_s
from .pinned import Pinned, pinned

SESSIONS = (50, 300, 600, 900, 1200)
SETTLE_S = 5.0
HEAD = (
    "sessions | worker: lag p50, p99, max ms; of a core; CPU ms a session-second | "
    "echo p50, p99 ms | makers: lag p99 ms, of a core"
)


def main(seconds: float = 20.0, counts: Sequence[int] = SESSIONS) -> None:
    with pinned() as crowd:
        time.sleep(SETTLE_S)
        before = cpu_s(crowd.broker.worker)
        time.sleep(seconds)
        idle = (cpu_s(crowd.broker.worker) - before) / seconds
        print(f"the worker without a session: {idle:.1%} of a core\n{HEAD}", flush=True)
        for count in counts:
            began = time.monotonic()
            live = crowd.operators.ask("open", count, "print")
            took = time.monotonic() - began
            time.sleep(SETTLE_S)
            print(_measured(crowd, live, seconds, idle), f"| {took:.0f} s to open", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}")


def _measured(crowd: Pinned, live: int, seconds: float, idle: float) -> str:
    """Watch for so long, and say what was seen; `idle` is what no session has to do with."""
    makers = (crowd.target, crowd.operators)
    for maker in makers:
        maker.ask("begin")
    began, before = time.monotonic(), cpu_s(crowd.broker.worker)
    time.sleep(seconds)
    used, took = cpu_s(crowd.broker.worker) - before, time.monotonic() - began
    lags = _lags(crowd.broker.lags, began, began + took)
    target, operators = (maker.ask("end") for maker in makers)
    lost = f", {operators.lost} LOST" if operators.lost else ""
    return (
        f"{live:8} | {_percentiles(lags)} {max(lags):6.1f}; {used / took:4.0%}; "
        f"{(used / took - idle) / live * 1000:.3f} | {_percentiles(operators.echoes)} | "
        f"target {_own(target, took)}, operators {_own(operators, took)}{lost}"
    )


def _own(told: Told, took: float) -> str:
    return f"{percentile(told.lags, 0.99):.1f} {told.cpu_s / took:.0%}"


def _percentiles(values: Sequence[float]) -> str:
    return f"{percentile(values, 0.5):6.2f} {percentile(values, 0.99):6.2f}"


def _lags(path: Path, began: float, ended: float) -> list[float]:
    """Return the worker's lags between two instants."""
    found = []
    for line in path.read_text().splitlines():
        at, _, lag = line.partition(" ")
        if lag and began <= float(at) <= ended:
            found.append(float(lag))
    return found


if __name__ == "__main__":
    given = sys.argv[1:]
    main(float(given[0]) if given else 20.0, tuple(map(int, given[1:])) or SESSIONS)
