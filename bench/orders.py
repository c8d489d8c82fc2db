"""Pause and terminate among many live sessions on one worker: from the order to its effect.

    python -m bench.orders [SESSIONS [BUSY [ORDERS]]]

Of SESSIONS (500) live ones BUSY (200) print 4 × 200 bytes a second and are typed into, a key a
second; the others are silent (bench/crowding.py). ORDERS (100) of them, at random, are paused, and
as many terminated, one after the other with a pause between. Told are milliseconds from the order
in the store until the session's input stopped, until both legs were closed, and until the answer
stood in the store. The worker has a core for itself.
"""

from __future__ import annotations

import os
import random
import sys
import time
from datetime import UTC, datetime

from psm_console.broker.entry.moment import new_id
from psm_console.domain.names import DirectiveId
from psm_console.domain.session import Directive, Outcome, Session, Verb
from psm_console.store import Home, Store

from .figures import spread
from .pinned import pinned

SETTLE_S = 5.0
BETWEEN_S = 0.05
_LEGS = ("target leg closed", "operator leg closed")
_ANSWERED = frozenset({Outcome.DONE, Outcome.REFUSED, Outcome.FAILED})


def main(sessions: int = 500, busy: int = 200, orders: int = 100) -> None:
    with pinned() as crowd:
        crowd.operators.ask("open", sessions - busy, "wait")
        crowd.operators.ask("open", sessions, "print")
        time.sleep(SETTLE_S)
        with Store.open(Home(crowd.broker.home)) as store:
            for verb in (Verb.PAUSE, Verb.TERMINATE):
                _ordered(store, verb, orders)
    print(f"load average {os.getloadavg()[0]:.1f}")


def _ordered(store: Store, verb: Verb, count: int) -> None:
    live = store.sessions.list(live_only=True)
    effects: list[float] = []
    answers: list[float] = []
    for session in random.sample(live, count):
        time.sleep(BETWEEN_S * random.uniform(0.5, 1.5))
        directive, took = order(store, session, verb)
        steps = {step.name: step.ms or 0.0 for step in directive.receipt.steps}
        assert directive.outcome is Outcome.DONE, directive
        answers.append(took)
        effects.append(max(steps.get(name, steps["claimed"]) for name in _LEGS))
    effect = "both legs closed" if verb is Verb.TERMINATE else "input stopped"
    print(spread(f"{verb}, {len(live)} live: {effect}", effects))
    print(spread(f"{verb}, {len(live)} live: answer in the store", answers), flush=True)


def order(store: Store, session: Session, verb: Verb) -> tuple[Directive, float]:
    """Give an order; return it as it was answered, and the milliseconds until that was stored."""
    now = datetime.now(UTC)
    given = Directive(DirectiveId(new_id()), session.id, verb, "sue", now, reason="bench")
    began = time.perf_counter()
    with store.transaction():
        store.directives.add(given)
    while (answered := store.directives.get(given.id)).outcome not in _ANSWERED:
        time.sleep(0.001)
    return answered, (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
