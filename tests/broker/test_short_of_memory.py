"""A worker that gets no memory any more: its own sessions may suffer, nobody else's do."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from psm_console.operations.recordings import judge
from psm_console.recording.cast_check import VerdictWord
from psm_console.store import Home, Store
from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.waiting import eventually_sync

from .killing import Client, missing, said
from .test_supervisor import Crowd, crowd, workers

pytestmark = pytest.mark.fault

SHORT_S = 1.5
"""How long a flood goes on without memory, if it does."""


@pytest.fixture(scope="module")
def pair() -> Iterator[Broker]:
    """A broker of two workers."""
    with Sshd() as target, Broker(target, serve=("--workers", "2")) as found:
        yield found


@contextmanager
def no_more_memory(pid: int) -> Iterator[None]:
    """Inside the block process `pid` can map nothing more; RLIMIT_AS, setrlimit(2)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    size = pages * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, before)


def test_the_kernel_takes_a_worker_before_the_supervisor(pair: Broker) -> None:
    assert pair.process is not None
    own = int(Path(f"/proc/{pair.process.pid}/oom_score_adj").read_text())
    for pid in workers(pair):
        assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) > own


def test_a_worker_without_memory_records_what_it_forwards_and_hurts_no_other_worker(
    pair: Broker,
) -> None:
    home = Home(pair.home)
    with crowd(pair) as operators, pair.client() as client, Store.open(home) as store:
        while len({session.worker for session in store.sessions.list()}) < 2:
            operators.add()
        before = {session.id for session in store.sessions.list()}
        flood = Client(client.popen(pair.login, "echo up; read go; seq 1 100000000"), types=False)
        try:
            flood.begin()
            eventually_sync(lambda: flood.got, what="a session that prints")
            (session,) = [one for one in store.sessions.list() if one.id not in before]
            pids = {worker.id: worker.pid for worker in store.workers.list()}
            held = {one.id: one.worker for one in store.sessions.list()}
            assert session.worker is not None
            short = pids[session.worker]
            spared = [
                process
                for process, worker in zip(operators.processes, held.values(), strict=False)
                if worker != session.worker
            ]
            with no_more_memory(short):
                flood.go()
                until = time.monotonic() + SHORT_S
                eventually_sync(
                    lambda: flood.process.poll() is not None or time.monotonic() > until,
                    what="the flood, or its end",
                )
                assert spared and all(Crowd.answers(process) for process in spared)
            # What the kernel does at last, unless it gave up by itself.
            with contextlib.suppress(ProcessLookupError):
                os.kill(short, signal.SIGKILL)
            flood.end()
            recorded = said(home, session)
            assert missing(bytes(flood.got), recorded) == 0
            verdict = judge(store, store.recordings.get(session.id))
            assert verdict.word in (VerdictWord.OK, VerdictWord.INCOMPLETE)
            assert all(Crowd.answers(process) for process in spared)
        finally:
            flood.close()
        eventually_sync(lambda: len(workers(pair)) == 2, what="a new worker")
        operators.add()
