"""Pause and terminate against bytes in flight: how many reach the target after the answer.

    python -m bench.races [RUNS [SESSIONS]]

Pauses: a real ssh client types without a stop into a PTY on a real sshd. At each acknowledged
pause the count of what the target was given is noted; a round trip to the store later, with the
client still typing, it must be the same. Terminates: SESSIONS clients at a time type into files
on the target; what was given is noted at the acknowledgement. When all clients are gone it must be
the same, and the files must hold no more than that. Deliveries: 16 MB of output with a pause in
its middle, compared with what was printed. Prints the bytes that came late, and those that were
lost: 0 is the promise.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
from pathlib import Path

from psm_console.broker.session.driver import SessionDriver
from psm_console.domain.session import Outcome, Verb
from tests.broker.stand import Stand
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

from .figures import spread

DELIVERIES = 5
DELIVERED = 16 << 20


def type_on(tty: PtyProcess, stop: threading.Event) -> None:
    """Type without a stop. A terminal whose client is gone blocks who writes to it for ever."""
    os.set_blocking(tty._fd, False)
    while not stop.is_set():
        try:
            os.write(tty._fd, b"k" * 50 + b"\n")
        except BlockingIOError:
            stop.wait(0.005)
        except OSError:
            return


def pauses(stand: Stand, runs: int) -> None:
    late = 0
    times: list[float] = []

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
    stand.tidy()
    print(spread("pause claimed after the order", times))
    print(f"bytes given to the target after an acknowledged pause: {late} in {runs} pauses")


def terminate_together(stand: Stand, count: int) -> tuple[int, list[float]]:
    """End `count` sessions that are typed into; return what came late, and how long each took."""
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        files = [stand.sshd.folder / f"typed-{number}" for number in range(count)]
        threads = []
        command = "stty -echo raw; echo ready; exec cat > "
        opened = [stand.client.terminal(stand.user, f"{command}{file}") for file in files]
        for tty in [stack.enter_context(one) for one in opened]:
            tty.wait_for("ready")
            threads.append(threading.Thread(target=type_on, args=(tty, stop)))
        for thread in threads:
            thread.start()
        eventually_sync(lambda: all(file.exists() and file.stat().st_size for file in files))
        sessions = stand.sessions()
        workers = stand.broker.running.worker.sessions
        drivers: dict[str, SessionDriver] = {one.id: workers[one.id] for one in sessions}
        orders = [stand.give(one, Verb.TERMINATE, reason="race") for one in sessions]
        late, times = 0, []
        sizes: list[tuple[str, int]] = []
        for order in orders:
            answer = stand.answer(order)
            assert answer.outcome is Outcome.DONE, answer
            sizes.append((order.session, stand.broker.ask(drivers[order.session].totals)[1]))
            times += [s.ms or 0.0 for s in answer.receipt.steps if s.name == "target leg closed"]
        stop.set()
        for thread in threads:
            thread.join()
    for session, at_answer in sizes:
        late += stand.broker.ask(drivers[session].totals)[1] - at_answer
    # What the target's sshd had before, it may still write: but nothing that was not given then.
    written = sum(file.stat().st_size for file in files)
    late += max(written - sum(size for _, size in sizes), 0)
    for file in files:
        Path(file).unlink()
    stand.tidy()
    return late, times


def terminates(stand: Stand, runs: int, together: int) -> None:
    late, done = 0, 0
    times: list[float] = []
    while done < runs:
        count = min(together, runs - done)
        more, took = terminate_together(stand, count)
        late, done, times = late + more, done + count, times + took
        if done % 40 < together:
            print(f"{done} terminated, {late} bytes came late", flush=True)
    print(spread("target leg closed after the order", times))
    print(f"bytes given to the target after an acknowledged terminate: {late} in {done}")


def deliveries(stand: Stand) -> None:
    command = f"head -c {DELIVERED} /dev/zero | tr '\\0' a | fold -w 99"
    expected = hashlib.sha256(stand.direct.run(stand.sshd.user, command).stdout).hexdigest()
    whole = 0
    for _ in range(DELIVERIES):
        process = stand.popen(f"echo up; read x; {command}")
        assert process.stdin and process.stdout and process.stdout.readline() == b"up\n"
        session = stand.session()
        digest = hashlib.sha256()
        process.stdin.write(b"\n")
        process.stdin.flush()
        digest.update(process.stdout.read(1 << 16))
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE
        digest.update(process.stdout.read())
        whole += digest.hexdigest() == expected
        assert process.wait(30) == 0
        stand.tidy()
    print(f"outputs of {DELIVERED >> 20} MB with a pause in them that arrived whole: ", end="")
    print(f"{whole} of {DELIVERIES}")


def main(runs: int = 1000, together: int = 8) -> None:
    with Stand() as stand:
        pauses(stand, runs)
        deliveries(stand)
        terminates(stand, runs, together)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
