"""SIGTERM, a second broker, and clocks that are set: what a machine does to a broker."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest

from psm_console.broker import obedience as obedience_module
from psm_console.broker import worker as worker_module
from psm_console.domain.session import Outcome, SessionState, Verb
from psm_console.store import Store
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_faults import kill_broker, start_broker

pytestmark = pytest.mark.fault


@contextlib.contextmanager
def second_broker(stand: Stand) -> Iterator[subprocess.Popen[bytes]]:
    """A broker process of its own on the stand's home; the stand's client talks to it inside."""
    own_port, host_key = stand.client.port, (stand.home.root / "keys/host_key.pub").read_text()
    broker = start_broker(stand.home.root, "127.0.0.1:0")
    try:
        with Store.open(stand.home) as store:
            stand.client.port = store.workers.list()[-1].port
        stand.client.trust(host_key.strip())
        yield broker
    finally:
        kill_broker(broker)
        broker.wait()
        if broker.stdout:
            broker.stdout.close()
        stand.client.port = own_port
        stand.client.trust(host_key.strip())


def test_sigterm_ends_a_broker_in_time_whatever_its_clients_and_targets_do(stand: Stand) -> None:
    with second_broker(stand) as broker, contextlib.ExitStack() as stack:
        flood = stand.popen("yes")
        paused = stand.popen("cat")
        port = stand.client.port
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        eventually_sync(lambda: len([s for s in stand.sessions() if s.channels]) == 2)
        first = next(s for s in stand.sessions() if s.channels[0].command == "cat")
        assert stand.order(first, Verb.PAUSE).outcome is Outcome.DONE
        os.kill(flood.pid, signal.SIGSTOP)
        try:
            with stand.sshd.frozen():
                began = time.monotonic()
                broker.send_signal(signal.SIGTERM)
                assert broker.wait(15) == 0
                took = time.monotonic() - began
        finally:
            os.kill(flood.pid, signal.SIGCONT)
        assert took < 12
        assert paused.wait(5) in (254, 255)
        assert idle.recv(4096) is not None
    rows = stand.sessions(live_only=False)[-2:]
    assert [row.state for row in rows] == [SessionState.ENDED] * 2
    assert {row.end_reason for row in rows} == {"the broker is stopping"}


def test_a_second_broker_leaves_the_sessions_of_the_first_alone(stand: Stand) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    with second_broker(stand):
        assert stand.read(lambda store: store.sessions.get(session.id)).state == "active"
        assert stand.client.run(stand.user, "echo second").stdout == b"second\n"
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE
    assert process.communicate(b"whole", timeout=10)[0] == b"whole"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_wall_clock_that_is_set_changes_nothing_for_a_live_session(
    stand: Stand, hours: int
) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()

    def shifted() -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + timedelta(hours=hours)

    driver = stand.broker.running.worker.sessions[session.id]
    with (
        mock.patch.object(worker_module, "utc_now", shifted),
        mock.patch.object(obedience_module, "utc_now", shifted),
        mock.patch.object(driver.journal, "_clock", shifted),
    ):
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE
        assert process.communicate(b"whole", timeout=10)[0] == b"whole"
        ended = stand.last()
    assert ended.id == session.id and process.returncode == 0
    assert stand.read(lambda store: store.audit.verify()).ok
