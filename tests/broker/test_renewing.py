"""Workers that were replaced and still hold sessions: how they end when more befalls the broker."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.waiting import eventually_sync

from .test_supervisor import Crowd, audited, crowd, workers

pytestmark = pytest.mark.fault

_SERVE = ("--workers", "1", "--drain-max", "600")


@pytest.fixture(scope="module")
def target() -> Iterator[Sshd]:
    with Sshd() as found:
        yield found


def renew(broker: Broker) -> tuple[int, int]:
    """Have the only worker replaced; return it, and the new one."""
    (old,) = workers(broker)
    assert broker.process is not None
    broker.process.send_signal(signal.SIGHUP)
    eventually_sync(lambda: audited(broker, "broker.renew"), what="the new worker")
    (new,) = set(workers(broker)) - {old}
    return old, new


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_broker_that_is_to_end_at_once_ends_what_its_old_workers_hold(
    target: Sshd, number: signal.Signals
) -> None:
    with Broker(target, serve=_SERVE) as broker, crowd(broker) as operators:
        session = operators.add()
        renew(broker)
        assert broker.process is not None
        broker.process.send_signal(number)
        if number is signal.SIGTERM:
            eventually_sync(lambda: audited(broker, "broker.drain"), what="the drain")
            assert Crowd.answers(session)
            broker.process.send_signal(number)
        assert session.wait(15) == 254
        assert broker.process.wait(20) == 0


def test_who_is_to_end_at_once_does_not_renew_its_workers_first(target: Sshd) -> None:
    with Broker(target, serve=_SERVE) as broker:
        assert broker.process is not None
        status = Path(f"/proc/{broker.process.pid}/status")
        for _ in range(8):
            broker.process.send_signal(signal.SIGHUP)
            eventually_sync(lambda: not _pends(status, signal.SIGHUP), what="SIGHUP to be heard")
        broker.process.send_signal(signal.SIGINT)

        assert broker.process.wait(30) == 0
        assert len(audited(broker, "broker.renew")) <= 2


def _pends(status: Path, number: signal.Signals) -> bool:
    """Whether a process has yet to hear a signal; proc(5)."""
    lines = [line.split() for line in status.read_text().splitlines()]
    pending = next(line[1] for line in lines if line[0] == "ShdPnd:")
    return bool(int(pending, 16) & 1 << (number - 1))


def test_a_worker_that_dies_while_it_drains_is_audited_and_its_sessions_read_as_lost(
    target: Sshd,
) -> None:
    with Broker(target, serve=_SERVE) as broker, crowd(broker) as operators:
        operators.add()
        old, new = renew(broker)
        other = operators.add()
        os.kill(old, signal.SIGKILL)
        eventually_sync(lambda: audited(broker, "worker.lost"), what="the loss to be audited")
        (said,) = audited(broker, "worker.lost")
        assert said["detail"] == (
            f"process {old} ended with status -9: 1 sessions lost; it was leaving"
        )
        assert workers(broker) == [new] and Crowd.answers(other)


def test_of_two_brokers_that_take_over_at_once_one_serves_and_the_other_is_told_so(
    target: Sshd,
) -> None:
    with Broker(target, serve=_SERVE) as broker, crowd(broker) as operators:
        held = operators.add()
        assert broker.process is not None
        with line_to(broker) as first, line_to(broker) as second:
            for line in (first, second):
                line.sendall(b"take over\n")
            given = socket.recv_fds(first, 16, 1)[1]
            assert len(given) == 1
            with socket.socket(fileno=given[0]):
                first.sendall(b"ready\n")
                # It could not say more if it drained the ten minutes that it may.
                with contextlib.suppress(ConnectionResetError):
                    assert second.recv(16) == b""
            assert Crowd.answers(held)


def line_to(broker: Broker) -> socket.socket:
    """A connection to where a broker answers its successor."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(10)
    line.connect(str(broker.home / "run" / "broker.sock"))
    return line
