"""Who does not read: an operator's client and a supervisor's shadow, stopped under a flood.

They cost bounded memory, and nobody else anything.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from psm_console.broker.session.driver import SessionDriver
from psm_console.broker.ssh import algorithms
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_faults import decoded
from .visiting import House

pytestmark = pytest.mark.fault

GROWTH = 32 << 20
LONG_S = 2.0
"""Time enough for a flood that nothing holds to be far beyond the window."""
LINES = 400_000


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker that sue may visit."""
    with House() as running:
        yield running


@pytest.fixture
def house(stand: Stand) -> House:
    assert isinstance(stand, House)
    return stand


def resident() -> int:
    """Bytes of memory that this process, broker and all, has at the moment; proc(5)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Inside the block the process reads nothing."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def held(driver: SessionDriver) -> bool:
    """Whether the target is not read any more, as its operator's client takes nothing."""
    return any(relay.output.valve._reasons for relay in driver.relays.values())


def test_a_flood_for_a_stopped_client_costs_bounded_memory_and_no_other_session(
    stand: Stand,
) -> None:
    other = stand.popen("cat")
    assert other.stdin is not None and other.stdout is not None
    other.stdin.write(b"up\n")
    other.stdin.flush()
    assert other.stdout.readline() == b"up\n"
    before = resident()
    flood = stand.popen("echo up; exec yes")
    assert flood.stdout is not None and flood.stdout.readline() == b"up\n"
    session = stand.session()
    driver = stand.broker.running.worker.sessions[session.id]
    with stopped(flood):
        eventually_sync(lambda: stand.broker.ask(lambda: held(driver)), what="back-pressure")
        taken, until = stand.broker.ask(driver.totals)[0], time.monotonic() + LONG_S
        while time.monotonic() < until:
            line = b"key at %f\n" % time.monotonic()
            other.stdin.write(line)
            other.stdin.flush()
            assert other.stdout.readline() == line
        # What was on its way when reading stopped is all that comes.
        assert stand.broker.ask(driver.totals)[0] - taken <= algorithms.WINDOW
        assert resident() - before < GROWTH
    # What was held goes on from where it stopped.
    got = b"up\n" + flood.stdout.read(16 << 20)
    flood.kill()
    flood.wait()
    assert stand.last().id == session.id
    assert decoded(stand.recording(session) / "1-exec.cast").startswith(got)
    assert got == b"up\n" + b"y\n" * ((len(got) - 3) // 2)


def test_a_shadow_that_stops_reading_costs_the_operator_nothing(house: House) -> None:
    flood = house.popen(f"echo up; read go; seq {LINES}; read end")
    assert flood.stdin is not None and flood.stdout is not None
    assert flood.stdout.readline() == b"up\n"
    session = house.session()
    expected = b"".join(b"%d\n" % number for number in range(1, LINES + 1))
    with house.client.terminal("sue", f"session shadow {session.id}") as shadow:
        shadow.wait_for("up")
        before = resident()
        with stopped(shadow.process):
            flood.stdin.write(b"\n")
            flood.stdin.flush()
            assert flood.stdout.read(len(expected)) == expected
            assert resident() - before < GROWTH
        # Whoever looks again sees what is there, not what was missed.
        shadow.wait_for(str(LINES))
        flood.stdin.write(b"\n")
        flood.stdin.flush()
        assert flood.wait(10) == 0
    house.nobody_left()
