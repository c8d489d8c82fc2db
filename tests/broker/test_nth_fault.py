"""Each write, sync and commit of a session fails once, one after the other, for all of them.

A counting run of the same session says how many there are; a run past the last must succeed.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from unittest import mock

import pytest

from psm_console.domain.session import LIVE_STATES, Session
from psm_console.recording import evidence
from psm_console.store import StoreError
from psm_console.store.connection import Connection
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_faults import decoded

pytestmark = pytest.mark.fault

COMMAND = "printf 'one\\n'; read line; printf \"two $line\\n\"; printf 'three\\n' >&2"
SAID = b"one\ntwo in\n"
TOO_MANY = 60


class Failing:
    """Counts calls from any thread; the n-th raises, before anything is done."""

    def __init__(self, number: int, error: Callable[[], Exception]) -> None:
        self._number = number
        self._error = error
        self._lock = threading.Lock()
        self.calls = 0

    def call(self) -> None:
        with self._lock:
            self.calls += 1
            if self.calls != self._number:
                return
        raise self._error()

    @property
    def fired(self) -> bool:
        return self.calls >= self._number


def full() -> Exception:
    return OSError(errno.ENOSPC, "No space left on device")


@contextlib.contextmanager
def recorder_fails(failing: Failing, name: str) -> Iterator[None]:
    """The recorder's files see an `os` whose function `name` fails."""
    true = getattr(os, name)

    def call(*arguments: object) -> object:
        failing.call()
        return true(*arguments)

    seen = SimpleNamespace(**{key: getattr(os, key) for key in dir(os)} | {name: call})
    with mock.patch.object(evidence, "os", seen):
        yield


@contextlib.contextmanager
def commit_fails(failing: Failing) -> Iterator[None]:
    """An outermost transaction that changed something is rolled back instead of committed."""
    true = Connection.transaction

    @contextlib.contextmanager
    def transaction(self: Connection, *, ring: bool = True) -> Iterator[None]:
        outermost, before = not self.raw.in_transaction, self.raw.total_changes
        with true(self, ring=ring):
            yield
            # Heartbeats and counters come when they come; only what a session tells is counted.
            if outermost and ring and self.raw.total_changes != before:
                failing.call()

    with mock.patch.object(Connection, "transaction", transaction):
        yield


def work(stand: Stand) -> tuple[bytes, Session | None]:
    """Run the same small session; return what its client got, and the session if it began."""
    before = {session.id for session in stand.sessions(live_only=False)}
    process = stand.popen(COMMAND)
    got, _ = process.communicate(b"in\n", timeout=20)
    assert process.returncode in (0, 254, 255)
    assert process.returncode != 0 or got == SAID

    def ended() -> bool:
        new = [s for s in stand.sessions(live_only=False) if s.id not in before]
        return all(session.state not in LIVE_STATES for session in new)

    eventually_sync(ended, what="the session's end to be stored", within_s=20)
    new = [s for s in stand.sessions(live_only=False) if s.id not in before]
    assert len(new) <= 1
    return got, new[0] if new else None


def check(stand: Stand, got: bytes, session: Session | None) -> None:
    """Nothing came out that is not in the recording, and the end is in the audit log."""
    if session is None:
        assert got == b""
        return
    cast = stand.recording(session) / "1-exec.cast"
    assert (decoded(cast) if cast.exists() else b"").startswith(got)
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=session.id))]
    assert actions.count("session.end") + actions.count("recording.fail") >= 1


@pytest.mark.parametrize("name", ["write", "fdatasync"])
def test_whichever_call_of_the_recorder_fails_nothing_passes_unrecorded(
    stand: Stand, name: str
) -> None:
    for number in itertools.count(1):
        assert number < TOO_MANY
        failing = Failing(number, full)
        with recorder_fails(failing, name):
            got, session = work(stand)
        check(stand, got, session)
        if not failing.fired:
            assert got == SAID and number > 1
            return


def test_whichever_commit_fails_the_store_learns_of_the_session_and_its_end(stand: Stand) -> None:
    for number in itertools.count(1):
        assert number < TOO_MANY
        failing = Failing(number, lambda: StoreError("the disk hiccups"))
        with commit_fails(failing):
            got, session = work(stand)
        check(stand, got, session)
        if not failing.fired:
            assert got == SAID and session is not None and number > 3
            return
