"""The crew of a broker when the system has no process, descriptor or row to give."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from psm_console.broker.service import crew as crew_module
from psm_console.broker.service import inspectors
from psm_console.broker.service.crew import Crew, Rows, WorkerError
from psm_console.broker.service.inspectors import Inspectors
from psm_console.broker.service.listening import bind
from psm_console.store import Home
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault

# Says that it is ready, and ends when its leash is cut or it is told to drain.
_STANDS_IN = """
import socket, sys
leash = socket.socket(fileno=int(sys.argv[sys.argv.index("--leash") + 1]))
leash.sendall(b"ready\\n")
leash.recv(64)
"""
Making = Callable[..., Any]


class Spawning:
    """Starts small programs in the place of workers; `fails` is what it raises instead."""

    def __init__(self, make: Making) -> None:
        self._make = make
        self.fails: Exception | None = None
        self.program = _STANDS_IN
        self.tried = 0

    async def __call__(self, python: str, *arguments: str, **options: Any) -> Any:
        self.tried += 1
        if self.fails is not None:
            raise self.fails
        return await self._make(python, "-c", self.program, *arguments[2:], **options)


@pytest.fixture
def spawning(monkeypatch: pytest.MonkeyPatch) -> Spawning:
    found = Spawning(asyncio.create_subprocess_exec)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", found)
    return found


@contextlib.asynccontextmanager
async def at_work(folder: Path, rows: Rows, lost: list[int], count: int = 1) -> AsyncIterator[Crew]:
    """A crew that has begun, ended with the block."""

    async def note(pid: int, _status: int, _replaced: bool) -> None:
        lost.append(pid)

    with bind("127.0.0.1:0") as listening:
        crew = Crew(Home(folder), listening, rows, count, 0.0, note)
        await crew.start()
        try:
            yield crew
        finally:
            crew.terminate()
            await crew.ended()


def free(rows: Rows) -> list[int]:
    return sorted(rows._free)


async def test_a_worker_that_could_not_be_replaced_for_want_of_a_process_is_replaced_later(
    tmp_path: Path, spawning: Spawning
) -> None:
    lost: list[int] = []
    rows = Rows()
    async with at_work(tmp_path, rows, lost) as crew:
        (first,) = crew.pids
        spawning.fails = BlockingIOError(11, "Resource temporarily unavailable")
        tried = spawning.tried
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: spawning.tried > tried, what="the attempt that fails")
        spawning.fails = None
        await eventually(lambda: crew.pids and crew.pids != [first], what="a new worker")
        assert lost == [first]
        assert len(free(rows)) == len(set(free(rows))) == 62
    assert len(free(rows)) == len(set(free(rows))) == 63


async def test_a_worker_that_hangs_before_it_is_ready_is_replaced_by_another(
    tmp_path: Path, spawning: Spawning, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows()
    async with at_work(tmp_path, rows, []) as crew:
        (first,) = crew.pids
        monkeypatch.setattr(crew_module, "_READY_S", 1.0)
        spawning.program = "import time; time.sleep(600)"
        os.kill(first, signal.SIGKILL)
        hanging = await eventually(lambda: set(crew.pids) - {first}, what="one that hangs")
        monkeypatch.setattr(crew_module, "_READY_S", 30.0)
        spawning.program = _STANDS_IN
        await eventually(lambda: set(crew.pids) - hanging - {first}, what="one that does not")
    assert len(free(rows)) == len(set(free(rows))) == 63


async def test_a_crew_that_does_not_come_up_gives_its_rows_back(
    tmp_path: Path, spawning: Spawning
) -> None:
    rows = Rows()
    lost: list[int] = []
    spawning.program = "raise SystemExit(3)"
    with pytest.raises(WorkerError, match="status 3"):
        async with at_work(tmp_path, rows, lost, count=2):
            pass
    spawning.fails = OSError(24, "Too many open files")
    with pytest.raises(WorkerError, match="Too many open files"):
        async with at_work(tmp_path, rows, lost, count=2):
            pass
    await eventually(lambda: len(free(rows)) == 63, what="all rows to be free")
    assert len(set(free(rows))) == 63


async def test_a_worker_that_dies_while_it_drains_is_told_of(
    tmp_path: Path, spawning: Spawning
) -> None:
    spawning.program += "leash.recv(64)\n"  # it drains, and has sessions yet
    lost: list[int] = []
    async with at_work(tmp_path, Rows(), lost) as crew:
        (pid,) = crew.pids
        crew.drain(60)
        os.kill(pid, signal.SIGKILL)
        await crew.ended()
    assert lost == [pid]


async def test_an_inspector_that_could_not_be_started_is_started_later(
    tmp_path: Path, spawning: Spawning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspectors, "_AGAIN_S", 0.05)
    spawning.program = ""
    spawning.fails = BlockingIOError(11, "Resource temporarily unavailable")
    running = asyncio.create_task(Inspectors(Home(tmp_path)).run())
    try:
        await eventually(lambda: spawning.tried > 1, what="another attempt")
        assert not running.done()
    finally:
        running.cancel()
