"""Visits over ssh: how soon a console is there, what it holds, how soon it is gone with its right.

    python -m bench.visit [RUNS]

`first paint` is from the start of the ssh client until the list of live sessions is drawn, login
included; `login alone` is the same client with a command that is refused before any process is
started. `right gone` is from the change of the inventory until the ssh client has exited.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.broker.visiting import WATCHES, House

from .figures import spread


def _own_kb(process: int) -> float:
    """Return what of a process's memory is shared by halves or not at all, in kB."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1])
    return 0.0


def _visit(house: House, steps: dict[str, list[float]]) -> None:
    began = time.perf_counter()
    with house.client.terminal("sue", columns=120, rows=40) as terminal:
        terminal.wait_for("Live sessions")
        steps.setdefault("first paint", []).append((time.perf_counter() - began) * 1000)
        steps.setdefault("memory, MB", []).append(_own_kb(house.child()) / 1024)
        began = time.perf_counter()
        house.make_of("sue", frozenset())
        assert terminal.wait_exit() == 254
        steps.setdefault("right gone", []).append((time.perf_counter() - began) * 1000)
    house.make_of("sue", WATCHES)
    house.nobody_left()


def main(runs: int = 20) -> None:
    steps: dict[str, list[float]] = {}
    with House() as house:
        for _ in range(runs):
            for name, command in (("login alone", "nothing"), ("session ls", "session ls --json")):
                began = time.perf_counter()
                house.visit(command)
                steps.setdefault(name, []).append((time.perf_counter() - began) * 1000)
            _visit(house, steps)
    for name, values in steps.items():
        print(spread(name, values))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
