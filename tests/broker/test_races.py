"""Terminate against bytes in flight; bench/races.py does it a thousand times."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest

from psm_console.domain.session import Outcome, Verb
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

from .stand import Stand

TOGETHER = 4


def type_on(tty: PtyProcess, stop: threading.Event) -> None:
    """Type without a stop. A terminal whose client is gone blocks who writes to it for ever."""
    os.set_blocking(tty._fd, False)
    while not stop.is_set():
        try:
            os.write(tty._fd, b"k" * 50)
        except BlockingIOError:
            stop.wait(0.005)
        except OSError:
            return


@pytest.mark.attack
def test_nothing_typed_reaches_a_target_after_its_end_is_acknowledged(stand: Stand) -> None:
    stop = threading.Event()
    files = [stand.sshd.folder / f"typed-{number}" for number in range(TOGETHER)]
    with contextlib.ExitStack() as stack:
        typing: list[threading.Thread] = []
        opened = [
            stand.client.terminal(stand.user, f"stty -echo raw; echo up; exec cat > {file}")
            for file in files
        ]
        for tty in [stack.enter_context(one) for one in opened]:
            tty.wait_for("up")
            typing.append(threading.Thread(target=type_on, args=(tty, stop)))
        for thread in typing:
            thread.start()
        eventually_sync(lambda: all(file.exists() and file.stat().st_size for file in files))
        drivers = list(stand.broker.running.worker.sessions.values())
        orders = [stand.give(one.session, Verb.TERMINATE, reason="race") for one in drivers]
        answers = [stand.answer(one) for one in orders]
        given = [stand.broker.ask(one.totals)[1] for one in drivers]
        stop.set()
        for thread in typing:
            thread.join()
    assert [one.outcome for one in answers] == [Outcome.DONE] * TOGETHER
    assert [stand.broker.ask(one.totals)[1] for one in drivers] == given
    # What the target's sshd had by then it may still write, but nothing beyond it ever.
    assert sum(file.stat().st_size for file in files) <= sum(given)
