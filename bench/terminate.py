"""Terminate: from the order in the store to both legs closed, over real ssh sessions.

    python -m bench.terminate [RUNS]

In every state that a session can be in (tests/broker/test_terminate_states.py makes them) RUNS
sessions are ended; the times are from the receipt that the broker acknowledges with. Then the same
past a store that another program holds, by the control socket.
"""

from __future__ import annotations

import sys

from psm_console.domain.session import Outcome, Verb
from psm_console.operations import order_directly
from psm_console.store import Store
from tests.broker.stand import Stand
from tests.broker.test_terminate_states import STATES, active

from .figures import spread


def of_target(steps: dict[str, float | None]) -> float:
    return steps["target leg closed"] or 0.0


def main(runs: int = 20) -> None:
    every: list[float] = []
    with Stand() as stand:
        for state in STATES:
            took: list[float] = []
            both: list[float] = []
            for _ in range(runs):
                with state(stand) as session:
                    answer = stand.order(session, Verb.TERMINATE, reason="bench")
                assert answer.outcome is Outcome.DONE, answer
                steps = {step.name: step.ms for step in answer.receipt.steps}
                took.append(of_target(steps))
                both.append(max(of_target(steps), steps["operator leg closed"] or 0.0))
                stand.tidy()
            every += took
            print(spread(f"{state.__name__}: target leg closed", took))
            print(spread(f"{state.__name__}: both legs closed", both))
        print(spread("all states: target leg closed", every))
        took = []
        for _ in range(runs):
            with active(stand) as session, Store.open(stand.home) as store:
                store._connection.raw.execute("BEGIN IMMEDIATE")
                answer = order_directly(stand.home, Verb.TERMINATE, session.id, "bench")
                store._connection.raw.execute("ROLLBACK")
            assert answer.outcome is Outcome.DONE, answer
            took.append(of_target({step.name: step.ms for step in answer.receipt.steps}))
            stand.tidy()
        print(spread("store held, control socket: target leg closed", took))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
