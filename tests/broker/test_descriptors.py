"""Descriptors run out: no new session, and the live ones do not notice."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from psm_console.broker.descriptors import (
    CROWDED,
    FOR_CHANNELS,
    FOR_CONNECTIONS,
    FOR_SESSIONS,
    Descriptors,
)
from tests.support.broker import Broker
from tests.support.sshd import Sshd

from .test_supervisor import audited, crowd, workers

pytestmark = pytest.mark.fault

RESERVE = 64
LIVE = 6


def used(pid: int | str) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextmanager
def left(pid: int, descriptors: int) -> Iterator[None]:
    """Let process `pid` open so many files more."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used(pid) + descriptors, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Sshd() as target, Broker(target) as found:
        yield found


def test_a_worker_may_open_what_its_administrator_allows(broker: Broker) -> None:
    (pid,) = workers(broker)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert soft == hard


def test_without_descriptors_new_sessions_are_refused_and_live_ones_go_on(broker: Broker) -> None:
    (pid,) = workers(broker)
    with crowd(broker) as operators, broker.client() as client:
        # The more are open, the less it matters when one more or one less is.
        for _ in range(LIVE):
            operators.add()
        live = operators.processes[0]
        with client.master(broker.login) as through:
            assert client.run(broker.login, "echo one", options=through).stdout == b"one\n"
            # Of so low a limit a quarter is kept: room for a connection, and for no session.
            with left(pid, used(pid) * 2 // 9):
                refused = client.run(broker.login, "echo never")
                assert refused.returncode == 255 and refused.stdout == b""
                assert CROWDED.encode() in refused.stderr
                assert operators.answers(live)
                # Channels of live sessions come last to be refused.
                again = client.run(broker.login, "echo two", options=through)
                assert again.stdout == b"two\n"
            with left(pid, 1):
                # Refused a channel, the client would try a connection of its own.
                alone = [*through, "-o", "ProxyCommand=false"]
                refused = client.run(broker.login, "echo never", options=alone)
                assert refused.stdout == b"" and b"Session open refused by peer" in refused.stderr
                assert operators.answers(live)
            assert client.run(broker.login, "echo three", options=through).stdout == b"three\n"
        assert client.run(broker.login, "echo four").stdout == b"four\n"
    assert audited(broker, "session.refuse")[0]["detail"] == CROWDED
    assert not audited(broker, "recording.fail")


def test_connections_wait_while_there_is_no_descriptor_for_them(broker: Broker) -> None:
    (pid,) = workers(broker)
    with crowd(broker) as operators, broker.client() as client:
        live = operators.add()
        with left(pid, 1):
            waiting = client.popen(broker.login, "echo in")
            for _ in range(20):
                assert operators.answers(live)
            assert waiting.poll() is None
        out, _ = waiting.communicate(timeout=30)
        assert out == b"in\n"


def test_far_from_the_limit_descriptors_are_not_counted_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[str] = []

    def listed(path: str) -> list[str]:
        counted.append(path)
        return ["0"] * 100

    monkeypatch.setattr(os, "listdir", listed)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (4096, 4096))
    descriptors = Descriptors(lambda: 0.0)
    assert all(descriptors.has_room(FOR_SESSIONS) for _ in range(400))
    assert len(counted) == 1


def test_a_limit_that_was_lowered_holds_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = [4096]
    monkeypatch.setattr(os, "listdir", lambda path: ["0"] * 100)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit[0], 4096))
    descriptors = Descriptors(lambda: 0.0)
    assert descriptors.has_room(FOR_SESSIONS)
    limit[0] = 101
    assert not descriptors.has_room(FOR_SESSIONS)


@pytest.mark.parametrize(
    ("free", "parts"),
    [
        (RESERVE, [FOR_SESSIONS, FOR_CONNECTIONS, FOR_CHANNELS]),
        (RESERVE - 1, [FOR_CONNECTIONS, FOR_CHANNELS]),
        (RESERVE // 2 - 1, [FOR_CHANNELS]),
        (RESERVE // 4 - 1, []),
    ],
)
def test_sessions_stop_before_connections_and_these_before_channels(
    monkeypatch: pytest.MonkeyPatch, free: int, parts: list[float]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    monkeypatch.setattr(os, "listdir", lambda path: ["0"] * (1024 - free))
    descriptors = Descriptors(lambda: 0.0)
    every = (FOR_SESSIONS, FOR_CONNECTIONS, FOR_CHANNELS)
    assert [part for part in every if descriptors.has_room(part)] == parts
