"""The store fails under a live session: nothing that it must learn is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import pytest

from psm_console.broker import admission, obedience
from psm_console.broker.session import ground
from psm_console.domain.session import Directive, Outcome, Verb
from psm_console.store import Store, StoreError, StoreThread
from psm_console.store.audit import AuditLog
from psm_console.store.directives import DirectiveRows
from psm_console.store.recordings import RecordingRows
from psm_console.store.sessions import SessionRows
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.fault

WRITES = [
    (SessionRows, "set_state"),
    (SessionRows, "add_channel"),
    (SessionRows, "close_channel"),
    (SessionRows, "counters"),
    (SessionRows, "end"),
    (RecordingRows, "add_file"),
    (RecordingRows, "checkpoint"),
    (RecordingRows, "close"),
    (AuditLog, "append"),
    (DirectiveRows, "finish"),
]


@contextmanager
def failing_twice(place: type, name: str, error: Exception) -> Iterator[None]:
    true, left = getattr(place, name), [2]

    def fail(*arguments: object, **named: object) -> object:
        if left[0]:
            left[0] -= 1
            raise error
        return true(*arguments, **named)

    with mock.patch.object(place, name, fail):
        yield


@pytest.mark.parametrize(("place", "name"), WRITES, ids=lambda one: getattr(one, "__name__", one))
def test_a_store_that_fails_and_recovers_has_learned_everything(
    stand: Stand, place: type, name: str
) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    with failing_twice(place, name, StoreError("the disk hiccups")):
        answer = stand.order(session, Verb.PAUSE)
        assert answer.outcome is Outcome.DONE
        assert stand.order(session, Verb.TERMINATE, reason="enough").outcome is Outcome.DONE
        assert process.wait(10) == 254
        ended = stand.last()
    assert ended.id == session.id and ended.end_reason == "enough" and ended.ended_by == "sue"
    assert [channel.closed_at is None for channel in ended.channels] == [False]
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=session.id))]
    for action in ("session.paused", "session.terminated", "session.end", "recording.close"):
        assert actions.count(action) == 1
    assert stand.read(lambda store: store.recordings.get(session.id)).closed_at


def test_a_session_that_ends_while_the_store_is_held_does_not_stay_live(stand: Stand) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    with Store.open(stand.home) as store:
        store._connection.raw.execute("BEGIN EXCLUSIVE")
        process.kill()
        process.wait()
        driver = stand.broker.running.worker.sessions[session.id]
        eventually_sync(lambda: stand.broker.ask(lambda: driver.live.state == "ended"))
        # Longer than a statement waits for a lock: its first try to store the end has failed.
        eventually_sync(lambda: stand.broker.ask(lambda: bool(driver.journal._writes)), within_s=15)
        store._connection.raw.execute("ROLLBACK")

    assert stand.last().id == session.id
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=session.id))]
    assert "session.end" in actions


def test_what_the_store_will_never_take_does_not_take_the_end_with_it(stand: Stand) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session = stand.session()
    odd = mock.patch.object(SessionRows, "close_channel", side_effect=UnicodeError("odd"))
    with odd:
        process.kill()
        process.wait()
        ended = stand.last()
    assert ended.id == session.id and ended.end_reason


@contextmanager
def held(thread: StoreThread) -> Iterator[None]:
    """Keep a store's thread waiting, as a disk does that hangs."""
    let_go = threading.Event()
    thread.submit(lambda _: let_go.wait(60), first=True)
    try:
        yield
    finally:
        let_go.set()


@pytest.mark.parametrize("waited_for", ["inventory", "row"])
def test_no_session_waits_longer_for_a_store_that_hangs_than_it_may(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, waited_for: str
) -> None:
    worker = stand.broker.running.worker
    monkeypatch.setattr(ground, "_REFRESH_S", 0.2)
    monkeypatch.setattr(admission, "_STORE_S", 0.3)
    if waited_for == "row":

        async def known() -> None:
            """The inventory is not read again."""

        monkeypatch.setattr(worker.ground, "read", known)
    with held(worker.store):
        refused = stand.client.run(stand.user, "id")
    assert refused.returncode == 255 and refused.stdout == b""
    assert b"can not be recorded at the moment" in refused.stderr


def test_an_order_does_not_wait_for_what_is_queued_before_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session, store = stand.session(), stand.broker.running.worker.store
    claim = obedience._claim
    jobs = [threading.Event() for _ in range(150)]
    done_before: list[int] = []

    def claimed(*given: Any) -> list[Directive]:
        found = claim(*given)
        if found:
            done_before.append(sum(job.is_set() for job in jobs))
        return found

    def slow(job: threading.Event, _: Store) -> None:
        job.wait(0.02)
        job.set()

    monkeypatch.setattr(obedience, "_claim", claimed)
    with held(store):
        for job in jobs:
            store.submit(partial(slow, job))
        given = stand.give(session, Verb.TERMINATE)
    assert stand.answer(given).outcome is Outcome.DONE
    assert done_before[0] < len(jobs)


def test_a_mistake_in_looking_for_supervisors_keeps_no_order_from_being_carried_out(
    stand: Stand,
) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    looking = mock.patch.object(
        stand.broker.running.worker._supervision, "look", side_effect=RuntimeError("odd")
    )
    with looking:
        assert stand.order(stand.session(), Verb.TERMINATE).outcome is Outcome.DONE
        assert process.wait(10) == 254


def test_an_order_that_meets_a_session_whose_end_is_being_stored_is_answered(stand: Stand) -> None:
    process = stand.popen("echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    session, worker = stand.session(), stand.broker.running.worker
    driver = worker.sessions[session.id]
    assert stand.order(session, Verb.TERMINATE).outcome is Outcome.DONE
    eventually_sync(lambda: session.id not in worker.sessions, what="the session's end")
    stand.broker.ask(lambda: worker.sessions.update({session.id: driver}))
    try:
        assert stand.order(session, Verb.TERMINATE).outcome is Outcome.DONE
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.REFUSED
    finally:
        stand.broker.ask(lambda: worker.over(driver))
