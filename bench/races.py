"""Pause against bytes in flight: how many reach the target after the acknowledgement.

    python -m bench.races [RUNS]

A real ssh client types without a stop into a PTY on a real sshd. At each acknowledged pause the
count of what the target was given is noted; a round trip to the store later, with the client
still typing, it must be the same. Prints the bytes that came late: 0 is the promise.
"""

from __future__ import annotations

import contextlib
import sys
import threading

from psm_console.domain.session import Outcome, Verb
from tests.broker.stand import Stand
from tests.support.terminal import PtyProcess

from .figures import spread


def type_on(tty: PtyProcess, stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not stop.is_set():
            tty.type(b"k" * 50 + b"\n")


def main(runs: int = 1000) -> None:
    late = 0
    times: list[float] = []
    with Stand() as stand:

        def given() -> int:
            return sum(d.totals()[1] for d in stand.broker.running.worker.sessions.values())

        with stand.client.terminal(stand.user, "stty -echo; echo ready; cat >/dev/null") as tty:
            tty.wait_for("ready")
            session = stand.session()
            stop = threading.Event()
            typing = threading.Thread(target=type_on, args=(tty, stop))
            typing.start()
            for _ in range(runs):
                answer = stand.order(session, Verb.PAUSE)
                at_answer = stand.broker.ask(given)
                assert answer.outcome is Outcome.DONE, answer
                times.append(answer.receipt.steps[-1].ms or 0.0)
                # A round trip to the store and back later, with the client still typing.
                assert stand.session().paused_by == "sue"
                late += stand.broker.ask(given) - at_answer
                stand.order(session, Verb.RESUME)
            stop.set()
            typing.join()
    print(spread("pause claimed after the order", times))
    print(f"bytes given to the target after an acknowledged pause: {late} in {runs} pauses")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
