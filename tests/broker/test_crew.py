"""The crew of a broker when the system has no process, descriptor or row to give."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from psm_console.broker.entry.tally import ROWS, Tally
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
# Is gone before it is ready; what it left behind is not.
_LEAVES_A_CHILD = """
import os, socket, sys, time
leash = socket.socket(fileno=int(sys.argv[sys.argv.index("--leash") + 1]))
leash.set_inheritable(False)
if os.fork():
    os._exit(3)
leash.settimeout(20)
leash.recv(64)
"""
# Does not read what it is told, and so its end is a reset; unix(7).
_DIES_WHEN_TOLD = """
import select, socket, sys
leash = socket.socket(fileno=int(sys.argv[sys.argv.index("--leash") + 1]))
select.select([leash], [], [])
raise SystemExit(3)
"""
_NEVER = "the system takes for ever to start it"
_HELD = "it is started when the test lets it go"
_LATE = "it is started when the first has ended"
Making = Callable[..., Any]
Noting = Callable[[int, int, bool], Awaitable[None]]


class Spawning:
    """Starts small programs in the place of workers; `fails` is what it raises instead."""

    def __init__(self, make: Making) -> None:
        self._make = make
        self.fails: Exception | None = None
        self.program = _STANDS_IN
        self.next: list[str] = []
        """The programs of the next that are started."""
        self.let_go = asyncio.Event()
        self.tried = 0
        self.made: list[asyncio.subprocess.Process] = []

    async def __call__(self, python: str, *arguments: str, **options: Any) -> Any:
        self.tried += 1
        if self.fails is not None:
            raise self.fails
        program = self.next.pop(0) if self.next else self.program
        if program == _NEVER:
            await asyncio.Event().wait()
        if program == _HELD:
            program = _STANDS_IN
            await self.let_go.wait()
        if program == _LATE:
            program = _STANDS_IN
            first = (await eventually(lambda: self.made, what="the first"))[0]
            await first.wait()
            await asyncio.sleep(0.1)  # whoever waits for the first has heard of it
        made = await self._make(python, "-c", program, *arguments[2:], **options)
        self.made.append(made)
        return made


@pytest.fixture
def spawning(monkeypatch: pytest.MonkeyPatch) -> Spawning:
    found = Spawning(asyncio.create_subprocess_exec)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", found)
    return found


@contextlib.asynccontextmanager
async def at_work(
    folder: Path, rows: Rows, lost: list[int], count: int = 1, note: Noting | None = None
) -> AsyncIterator[Crew]:
    """A crew that has begun, ended with the block."""

    async def noted(pid: int, _status: int, _replaced: bool) -> None:
        lost.append(pid)

    with bind("127.0.0.1:0") as listening:
        crew = Crew(Home(folder), listening, rows, count, 0.0, note or noted)
        await crew.start()
        try:
            yield crew
        finally:
            crew.terminate()
            await crew.ended()


async def _nobody(_pid: int, _status: int, _replaced: bool) -> None:
    """Nobody is told."""


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


@pytest.mark.parametrize("program", ["import time; time.sleep(600)", _LEAVES_A_CHILD])
async def test_a_worker_that_hangs_or_leaves_its_leash_to_a_child_is_replaced_by_another(
    tmp_path: Path, spawning: Spawning, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    rows = Rows()
    async with at_work(tmp_path, rows, []) as crew:
        (first,) = crew.pids
        monkeypatch.setattr(crew_module, "_READY_S", 1.0)
        spawning.program = program
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


@pytest.mark.parametrize("other", [_STANDS_IN, _LATE])
async def test_of_a_crew_that_does_not_come_up_nobody_stays(
    tmp_path: Path, spawning: Spawning, other: str
) -> None:
    spawning.next = ["raise SystemExit(3)", other]
    rows = Rows()
    async with asyncio.timeout(20):
        with pytest.raises(WorkerError, match="status 3"):
            async with at_work(tmp_path, rows, [], count=2):
                pass
    assert [process.returncode is not None for process in spawning.made] == [True, True]
    assert len(free(rows)) == len(set(free(rows))) == 63


@pytest.mark.parametrize("program", [_NEVER, "import time; time.sleep(600)"])
async def test_a_crew_that_hangs_as_it_comes_up_is_given_up(
    tmp_path: Path, spawning: Spawning, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(crew_module, "_READY_S", 0.5)
    spawning.program = program
    rows = Rows()
    async with asyncio.timeout(20):
        with pytest.raises(WorkerError, match=r"no worker within 0\.5 s"):
            async with at_work(tmp_path, rows, []):
                pass
    assert len(free(rows)) == len(set(free(rows))) == 63


def test_what_a_worker_had_counted_goes_when_its_row_is_given_back() -> None:
    rows = Rows()
    row = rows.take()
    Tally(rows.descriptor, row).count("identity ana", 3)
    watching = Tally(rows.descriptor, rows.take())
    assert watching.total("identity ana") == 3
    rows.give_back(row)
    assert watching.total("identity ana") == 0


def test_past_the_last_row_there_is_a_sentence() -> None:
    rows = Rows()
    for _ in range(ROWS - 1):
        rows.take()
    with pytest.raises(WorkerError, match="63 workers are at work or drain"):
        rows.take()


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


async def test_a_worker_whose_loss_can_not_be_noted_is_replaced_all_the_same(
    tmp_path: Path, spawning: Spawning
) -> None:
    async def fail(_pid: int, _status: int, _replaced: bool) -> None:
        raise RuntimeError("nobody can be told")

    async with at_work(tmp_path, Rows(), [], note=fail) as crew:
        (first,) = crew.pids
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: crew.pids and crew.pids != [first], what="a new worker")


async def test_a_worker_that_dies_as_it_is_told_to_drain_before_it_was_ready_hangs_nobody(
    tmp_path: Path, spawning: Spawning
) -> None:
    rows = Rows()
    async with at_work(tmp_path, rows, []) as crew:
        (first,) = crew.pids
        spawning.program = _DIES_WHEN_TOLD
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: set(crew.pids) - {first}, what="one that comes up")
        crew.drain(60)
        async with asyncio.timeout(20):
            await crew.ended()
        assert crew.pids == []
    assert len(free(rows)) == len(set(free(rows))) == 63


async def test_a_worker_that_comes_up_as_the_others_are_told_to_go_goes_too(
    tmp_path: Path, spawning: Spawning
) -> None:
    async with at_work(tmp_path, Rows(), []) as crew:
        spawning.program, tried = _HELD, spawning.tried
        os.kill(crew.pids[0], signal.SIGKILL)
        await eventually(lambda: spawning.tried > tried, what="another to be started")
        crew.drain(60)
        spawning.let_go.set()
        async with asyncio.timeout(20):
            await crew.ended()
        assert crew.pids == [] and spawning.made[-1].returncode is not None


class Impatient(Crew):
    """Notes how long it should wait until it starts another worker, and does not."""

    def __init__(self, folder: Path, listening: socket.socket) -> None:
        super().__init__(Home(folder), listening, Rows(), 1, 0.0, _nobody)
        self.waits: list[float] = []

    async def _again(self, place: int, wait_s: float) -> bool:
        self.waits.append(round(wait_s, 1))
        return len(self.waits) < 5 and await super()._again(place, 0.0)


@pytest.mark.parametrize(
    ("settled_s", "waits"),
    [(600.0, [0.1, 0.3, 0.7, 1.0, 1.0]), (-1.0, [0.0] * 5)],
)
async def test_workers_that_die_young_are_replaced_ever_more_slowly_and_others_at_once(
    tmp_path: Path,
    spawning: Spawning,
    monkeypatch: pytest.MonkeyPatch,
    settled_s: float,
    waits: list[float],
) -> None:
    monkeypatch.setattr(crew_module, "_SETTLED_S", settled_s)
    monkeypatch.setattr(crew_module, "_LONGEST_WAIT_S", 1.0)
    spawning.program = _STANDS_IN.replace("leash.recv(64)", "")
    with bind("127.0.0.1:0") as listening:
        crew = Impatient(tmp_path, listening)
        await crew.start()
        async with asyncio.timeout(20):
            await crew.ended()
    assert crew.waits == waits


async def test_no_worker_is_started_on_a_socket_that_is_closed_as_its_turn_comes(
    tmp_path: Path, spawning: Spawning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "_LONGEST_WAIT_S", 0.3)
    with bind("127.0.0.1:0") as listening:
        crew = Crew(Home(tmp_path), listening, Rows(), 1, 0.0, _nobody)
        await crew.start()

        def leave() -> None:
            crew.drain(60)
            listening.close()

        (first,) = crew.pids
        spawning.fails = BlockingIOError(11, "Resource temporarily unavailable")
        tried = spawning.tried
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: spawning.tried > tried, what="the attempt that fails")
        spawning.fails, tried = None, spawning.tried
        # Its waiting is over in the same turn of the loop in which the crew is told to leave.
        asyncio.get_running_loop().call_later(1.0, leave)
        time.sleep(1.1)  # noqa: ASYNC251  # the loop shall find both due at once
        async with asyncio.timeout(20):
            await crew.ended()
        assert spawning.tried == tried


async def test_a_worker_that_does_not_end_when_told_to_is_killed(
    tmp_path: Path, spawning: Spawning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "_LEAVE_S", 0.2)
    spawning.program = "import signal; signal.signal(15, signal.SIG_IGN)\n" + spawning.program
    spawning.program += "import time; time.sleep(600)\n"
    lost: list[int] = []
    async with at_work(tmp_path, Rows(), lost) as crew:
        (pid,) = crew.pids
        crew.terminate()
        async with asyncio.timeout(20):
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
