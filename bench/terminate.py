"""Terminate: from the order in the store to both legs closed, over real ssh sessions.

    python -m bench.terminate [RUNS]

Each run starts an interactive ssh session on a real sshd, stores the directive, and reads the times
from the receipt that the broker acknowledges with. `client gone` is from the order until the ssh
process has exited.
"""

from __future__ import annotations

import sys
import time

from psm_console.domain.session import Outcome, Verb
from tests.broker.stand import Stand

from .figures import spread


def main(runs: int = 50) -> None:
    steps: dict[str, list[float]] = {}
    with Stand() as stand:
        for _ in range(runs):
            with stand.client.terminal(stand.user, "echo ready; exec sleep 300") as tty:
                tty.wait_for("ready")
                session = stand.session()
                began = time.perf_counter()
                given = stand.give(session, Verb.TERMINATE, reason="bench")
                assert tty.wait_exit() == 254
                steps.setdefault("client gone", []).append((time.perf_counter() - began) * 1000)
                answer = stand.answer(given)
            assert answer.outcome is Outcome.DONE, answer
            for step in answer.receipt.steps:
                if step.ms is not None and step.name != "requested":
                    steps.setdefault(step.name, []).append(step.ms)
            stand.tidy()
    for name, values in steps.items():
        print(spread(name, values))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
