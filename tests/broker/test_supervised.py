"""Supervised sessions over real ssh: what waits, who may watch, and what a lost role does."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from psm_console.domain.inventory import Identity, Inventory, Role
from psm_console.domain.session import Outcome, Session, SessionState, Verb
from psm_console.domain.supervision import UNSUPERVISED
from psm_console.store import Store
from tests.support.waiting import eventually_sync

from .stand import Stand


class Watcher:
    """Shadows a session as a console does, but more often: no busy machine shall end its watch."""

    def __init__(self, stand: Stand, session: Session, name: str, purpose: str = "shadow") -> None:
        self._stand, self._session, self._name, self._purpose = stand, session, name, purpose
        self._stop, self._began = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with Store.open(self._stand.home) as store:
            at, token = datetime.now(UTC), f"{self._name} watches"
            store.watchers.enter(self._session.id, self._name, token, at, self._purpose)
            self._began.set()
            while not self._stop.wait(0.2):
                store.watchers.refresh(token, datetime.now(UTC))
            store.watchers.leave(token)

    def __enter__(self) -> Watcher:
        self._thread.start()
        assert self._began.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def people(stand: Stand, *, sue: Role = Role.SUPERVISOR) -> Inventory:
    """ana's grant, supervised; sue; and roles that make ana her own supervisor if anything did."""
    inventory = stand.inventory()
    ana = inventory.identities["ana"]
    return replace(
        inventory,
        identities={
            "ana": replace(ana, roles=ana.roles | {Role.SUPERVISOR}),
            "bo": Identity("bo", frozenset({Role.ANALYST})),
            "sue": Identity("sue", frozenset({sue})),
        },
        grants=tuple(replace(one, supervised=True) for one in inventory.grants),
    )


@pytest.fixture
def watched(stand: Stand) -> Iterator[Stand]:
    stand.apply(people(stand))
    yield stand
    stand.tidy()
    stand.apply(stand.inventory())


def waiting(
    stand: Stand, command: str = "cat", options: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a command whose client has been told that it waits."""
    process = stand.popen(command, options=options)
    assert process.stderr
    assert any(UNSUPERVISED.encode() in line for line in process.stderr)  # the banner comes first
    return process


def state(stand: Stand) -> SessionState:
    return stand.session().state


@pytest.mark.attack
def test_a_command_runs_only_when_a_supervisor_watches_and_resumes(watched: Stand) -> None:
    marker = watched.sshd.folder / "ran"
    process = waiting(watched, f"touch {marker}; cat")
    assert process.stdin
    process.stdin.write(b"whole")
    process.stdin.close()
    process.stdin = None
    session = watched.session()
    assert session.paused_by == "broker" and UNSUPERVISED in (session.attention or "")

    for name, purpose in (("ana", "shadow"), ("bo", "shadow"), ("sue", "preview")):
        with Watcher(watched, session, name, purpose):
            refused = watched.order(session, Verb.RESUME)
            assert refused.outcome is Outcome.REFUSED
            assert "shadow it, then resume" in refused.receipt.detail
    assert not marker.exists()
    with Watcher(watched, session, "sue"):
        assert watched.order(session, Verb.RESUME).outcome is Outcome.DONE
        assert process.communicate(timeout=20)[0] == b"whole"
    assert process.returncode == 0 and marker.exists()


@pytest.mark.attack
def test_a_resume_that_closes_what_waits_never_starts_it(watched: Stand) -> None:
    marker = watched.sshd.folder / "never"
    with watched.client.master(watched.user) as through:
        process = waiting(watched, f"touch {marker}; cat", through)
        assert process.stdin
        process.stdin.write(b"input")
        process.stdin.flush()
        session = watched.session()
        eventually_sync(lambda: watched.session().held, what="what waits")
        with Watcher(watched, session, "sue"):
            assert watched.order(session, Verb.RESUME, close_held=True).outcome is Outcome.DONE
            assert process.wait(10) == 1
            # What would have been started with it has been by the time that this is answered.
            after = watched.popen("echo up", options=through)
            assert after.communicate(timeout=20)[0] == b"up\n"
    assert not marker.exists()


def test_a_client_that_leaves_while_it_waits_ends_its_session(watched: Stand) -> None:
    process = waiting(watched)
    process.kill()
    process.wait()

    assert watched.last().end_reason


def test_who_waits_can_be_terminated(watched: Stand) -> None:
    process = waiting(watched)

    assert watched.order(watched.session(), Verb.TERMINATE).outcome is Outcome.DONE
    assert process.wait(10) == 254


@pytest.mark.attack
def test_a_supervisor_who_loses_the_role_while_they_watch_supervises_no_more(
    watched: Stand,
) -> None:
    process = watched.popen("echo up; cat")
    assert process.stdout
    session = watched.session()
    with Watcher(watched, session, "sue"):
        assert watched.order(session, Verb.RESUME).outcome is Outcome.DONE
        assert process.stdout.readline() == b"up\n"
        watched.apply(people(watched, sue=Role.ANALYST))
        eventually_sync(lambda: state(watched) is SessionState.PAUSED, within_s=10)
    assert watched.session().paused_by == "broker"
