"""The store fails under a live session: nothing that it must learn is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest

from psm_console.domain.session import Outcome, Verb
from psm_console.store import Store, StoreError
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
