"""Terminate in every state a session can be in: the target is let go within a second."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from psm_console.broker.entry.moment import elapsed
from psm_console.broker.session import driver as driver_module
from psm_console.domain.session import Directive, Outcome, Session, SessionState, Verb
from psm_console.recording.writer import SessionRecorder
from psm_console.store import Store
from tests.support.waiting import eventually_sync

from .stand import Stand

State = Callable[[Stand], AbstractContextManager[Session]]


def piped(stand: Stand, command: str, *options: str) -> subprocess.Popen[bytes]:
    process = stand.popen(command, options=options)
    assert process.stdout and process.stdout.read(3) == b"up\n"
    return process


@contextlib.contextmanager
def active(stand: Stand) -> Iterator[Session]:
    with stand.client.terminal(stand.user, "echo up; sleep 300") as tty:
        tty.wait_for("up")
        yield stand.session()


@contextlib.contextmanager
def paused(stand: Stand) -> Iterator[Session]:
    with active(stand) as session:
        stand.order(session, Verb.PAUSE)
        yield session


@contextlib.contextmanager
def flood(stand: Stand) -> Iterator[Session]:
    process = piped(stand, "echo up; yes")
    assert process.stdout
    fileno = process.stdout.fileno()

    def drain() -> None:
        with contextlib.suppress(OSError):
            while os.read(fileno, 1 << 16):
                pass

    reading = threading.Thread(target=drain, daemon=True)
    reading.start()
    yield stand.session()
    reading.join(10)


@contextlib.contextmanager
def stopped_client(stand: Stand) -> Iterator[Session]:
    """The client neither reads the flood nor answers."""
    process = piped(stand, "echo up; yes")
    session = stand.session()
    process.send_signal(signal.SIGSTOP)
    yield session
    process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def stopped_target(stand: Stand) -> Iterator[Session]:
    piped(stand, "echo up; cat")
    session = stand.session()
    with stand.sshd.frozen():
        yield session


@contextlib.contextmanager
def half_open_sftp(stand: Stand) -> Iterator[Session]:
    process = stand.client.popen(stand.user, "sftp", options=["-s"])
    stand._processes.append(process)
    assert process.stdin
    process.stdin.write(b"\x00\x00\x00\x05\x01")  # half of an INIT
    process.stdin.flush()
    eventually_sync(lambda: stand.sessions() and stand.session().channels)
    yield stand.session()


@contextlib.contextmanager
def no_channel(stand: Stand) -> Iterator[Session]:
    with stand.client.master(stand.user) as through:
        stand.client.run(stand.user, "true", options=through)
        eventually_sync(lambda: all(c.closed_at for c in stand.session().channels))
        yield stand.session()


@contextlib.contextmanager
def many_channels(stand: Stand) -> Iterator[Session]:
    with stand.client.master(stand.user) as through:
        for _ in range(8):
            piped(stand, "echo up; cat", *through)
        yield stand.session()


@contextlib.contextmanager
def ending(stand: Stand) -> Iterator[Session]:
    """It is ending already, and its client does not let go."""
    with stopped_client(stand) as session:
        stand.give(session, Verb.TERMINATE, "kim", reason="first")
        eventually_sync(lambda: stand.sessions()[-1].state is SessionState.ENDING)
        yield session


@contextlib.contextmanager
def connecting(stand: Stand) -> Iterator[Session]:
    """The target takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = stand.inventory()
        target = replace(before.targets["db1"], port=silent.getsockname()[1])
        stand.apply(replace(before, targets={"db1": target}))
        try:
            process = stand.popen("true")
            yield eventually_sync(
                lambda: next((s for s in stand.sessions() if s.state == "connecting"), None)
            ) or pytest.fail("no session")
            assert process.wait(20) == 255
        finally:
            stand.apply(before)


STATES: list[State] = [
    active,
    paused,
    flood,
    stopped_client,
    stopped_target,
    half_open_sftp,
    no_channel,
    many_channels,
    ending,
    connecting,
]


@pytest.mark.fault
@pytest.mark.parametrize("state", STATES, ids=lambda one: one.__name__)
def test_terminate_is_confirmed_and_the_target_let_go_in_every_state(
    stand: Stand, state: State
) -> None:
    with state(stand) as session:
        answer = stand.order(session, Verb.TERMINATE, reason="enough")
    assert answer.outcome is Outcome.DONE
    took = {step.name: step.ms for step in answer.receipt.steps}
    closed, claimed = took["target leg closed"], took["claimed"]
    assert closed is not None and claimed is not None
    # From the claim on; bench/terminate.py has the figures of a machine that does nothing else.
    assert closed - claimed < 3000
    assert all(step.failed is False for step in answer.receipt.steps)


@pytest.mark.fault
@pytest.mark.parametrize("state", [active, paused, stopped_target], ids=lambda one: one.__name__)
def test_a_session_is_ended_past_a_store_that_is_held(stand: Stand, state: State) -> None:
    from psm_console.operations import order_directly

    with state(stand) as session, Store.open(stand.home) as store:
        store._connection.raw.execute("BEGIN IMMEDIATE")
        answer: Directive = order_directly(stand.home, Verb.TERMINATE, session.id[:6], "enough")
        store._connection.raw.execute("ROLLBACK")
    assert answer.outcome is Outcome.DONE, answer
    assert stand.last().ended_by == "local"
    kept = stand.read(lambda opened: opened.directives.get(answer.id))
    assert (kept.outcome, kept.receipt) == (answer.outcome, answer.receipt)


@pytest.mark.attack
def test_an_order_for_a_session_that_nobody_drives_yet_is_carried_out_when_somebody_does(
    stand: Stand,
) -> None:
    """Its row is there before its recording: an order in between must not read as too late."""
    made, go = threading.Event(), threading.Event()
    create = SessionRecorder.create

    def slowly(*given: object, **named: object) -> SessionRecorder:
        made.set()
        assert go.wait(20)
        return create(*given, **named)  # type: ignore[arg-type]

    with mock.patch.object(SessionRecorder, "create", slowly):
        process = stand.popen("echo ran; cat")
        assert made.wait(20)
        (session,) = stand.sessions()
        order = stand.give(session, Verb.TERMINATE, reason="not this one")
        claimed = eventually_sync(
            lambda: stand.read(lambda store: store.directives.get(order.id)).outcome != "pending"
        )
        assert claimed
        go.set()
        answer = stand.answer(order)
    assert answer.outcome is Outcome.DONE
    assert "target leg closed" in {step.name for step in answer.receipt.steps}
    out, _ = process.communicate(timeout=20)
    assert out == b"" and process.returncode != 0
    assert stand.last().end_reason == "not this one"


def slept(seconds: float) -> AbstractContextManager[object]:
    """The machine has slept: the clock of sessions went on, the loop's did not."""
    return mock.patch.object(driver_module, "elapsed", lambda: elapsed() + seconds)


@pytest.mark.fault
def test_a_machine_that_slept_ends_what_should_have_ended_meanwhile(stand: Stand) -> None:
    """The loop's clock stood still: without a look of our own the idle limit came later by it."""
    with active(stand) as session, slept(7200):
        ended = stand.last()
    assert ended.id == session.id
    assert ended.end_reason == "no input for 30 min"
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=session.id))]
    assert "session.gap" in actions


@pytest.mark.attack
def test_a_session_ends_with_its_grant_and_what_may_live_on_is_said(stand: Stand) -> None:
    """A job that was detached outlives the session: nobody shall believe that it does not."""
    before = stand.inventory()
    until = datetime.now(UTC) + timedelta(seconds=8)
    stand.apply(replace(before, grants=(replace(before.grants[0], expires_at=until),)))
    try:
        command = "setsid sh -c 'echo pid=$$.; exec sleep 300' & exec sleep 300"
        process = stand.popen(command)
        assert process.stdout
        pid = int(process.stdout.readline().split(b"=")[1].split(b".")[0])
        assert process.wait(30) == 254
        assert datetime.now(UTC) >= until
    finally:
        stand.apply(before)
    ended = stand.last()
    assert ended.end_reason == "the grant has expired"
    entries = stand.read(lambda s: s.audit.list(session=ended.id))
    (said,) = [str(entry.detail) for entry in entries if entry.action == "grant.expire"]
    assert "may live on" in said
    assert Path(f"/proc/{pid}").exists()
    os.kill(pid, signal.SIGKILL)
