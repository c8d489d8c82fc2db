"""A broker that is replaced again and again under live sessions, and what its clients notice.

    python -m bench.replace [SESSIONS [TIMES]]

SESSIONS (100) terminals with `cat` on a real sshd are typed into, a key a second each, through
`psm serve --workers 2`; others log in for a command, five a second, and twenty a second connect
for the broker's greeting. Meanwhile TIMES (5) times `psm serve --replace` takes over from the
broker that runs, and its workers are renewed by SIGHUP. Counted are sessions dropped, connects
refused, and keys that did not come back once, in order; then, sessions that the first broker
began are paused, resumed and terminated. When all have left, how long the old brokers stayed, and
what `verify` says of the recordings and the audit log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.broker.test_supervisor import Successor, audited, workers_of
from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.waiting import eventually_sync

from .door import CROWDED, Door
from .figures import spread
from .replacing import Operators, come_and_go, type_in_terminals

SERVE = ("--workers", "2", "--drain-max", "3600")
BETWEEN_S = 2.0


def main(sessions: int = 100, times: int = 5) -> None:
    sshd = ("MaxStartups 1000",)
    with Sshd(sshd) as target, Broker(target, config=CROWDED, serve=SERVE) as broker:
        with contextlib.ExitStack() as stack:
            door = Door(broker.host, broker.port, broker.login, str(broker.operator_key))
            typing = Operators(type_in_terminals, door, sessions)
            typing.up(300)
            client = stack.enter_context(broker.client())
            terminal = stack.enter_context(client.terminal(broker.login, "echo up; cat"))
            terminal.wait_for("up")
            first = broker.sessions()[-1]["id"]
            coming = Operators(come_and_go, door)
            coming.up(60)
            successors = _replaced(broker, stack, times)
            _obeys(broker, first)
            assert terminal.wait_exit(10) == 254
            coming.leave()
            _tell("logins", "login and command", coming)
            typing.leave()
            began = time.monotonic()
            _tell("sessions", "key to echo", typing)
            _left(broker, successors, began)
        _verified(broker)


def _replaced(broker: Broker, stack: contextlib.ExitStack, times: int) -> list[Successor]:
    """Replace the broker and its workers so often."""
    time.sleep(BETWEEN_S)
    found: list[Successor] = []
    for number in range(times):
        began = time.monotonic()
        found.append(Successor(broker, *SERVE))
        stack.callback(found[-1].end)
        eventually_sync(lambda: found[-1].ready, within_s=60, what="the successor")
        print(f"replaced, {number + 1}: {time.monotonic() - began:.2f} s", flush=True)
        found[-1].process.send_signal(signal.SIGHUP)
        _wait_renewed(broker, number + 1)
        time.sleep(BETWEEN_S)
    return found


def _obeys(broker: Broker, session: str) -> None:
    for verb in ("pause", "resume", "terminate"):
        began = time.monotonic()
        broker.psm("session", verb, session, "--reason", "bench")
        print(f"{verb} of a session that the first broker began: {time.monotonic() - began:.2f} s")


def _wait_renewed(broker: Broker, times: int) -> None:
    eventually_sync(
        lambda: len(audited(broker, "broker.renew")) == times, within_s=60, what="new workers"
    )


def _tell(what: str, took: str, operators: Operators) -> None:
    seen = operators.seen()
    print(spread(took, seen.took))
    if seen.knocks:
        print(f"{seen.knocks} connects for a greeting")
    print(f"{what}: {len(seen.wrong)} dropped, refused or wrong", flush=True)
    for sentence, count in Counter(seen.wrong).most_common(10):
        print(f"  {count} x {sentence}")


def _left(broker: Broker, successors: Sequence[Successor], began: float) -> None:
    """Say how long the replaced brokers, and the workers that were renewed, stayed."""
    assert broker.process is not None
    last = successors[-1].process
    for process in (broker.process, *(one.process for one in successors[:-1])):
        status = process.wait(60)
        print(f"an old broker left with {status}, {time.monotonic() - began:.2f} s after all had")
    eventually_sync(lambda: len(workers_of(last.pid)) == 2, what="the renewed workers to leave")
    print(f"only two workers are left, {time.monotonic() - began:.2f} s after all had")


def _verified(broker: Broker) -> None:
    print(broker.psm("audit", "verify", timeout_s=300).stdout.splitlines()[0])
    rows = broker.json("recording", "verify", "--all")
    print(f"recordings: {dict(Counter(row['verdict'] for row in rows))}")
    states = Counter(session["state"] for session in broker.sessions("--all"))
    print(f"sessions: {dict(states)}; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
