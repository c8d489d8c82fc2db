"""Leases on pauses, as rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from psm_console.domain.names import SessionId, WorkerId
from psm_console.domain.session import Held, SessionState
from psm_console.store import Bell

from .factories import NOON, WORKER, make_directive, make_session, make_store, register

ONE = SessionId("s-7100")


def test_a_lease_counts_how_often_it_was_renewed_for_the_worker_of_its_session(
    tmp_path: Path,
) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session())
        for _ in range(3):
            store.holds.renew("h-1", ONE, "sue")

        assert store.holds.beats(WORKER) == {"h-1": 3}
        assert store.holds.beats(WorkerId("w-2")) == {}


def test_renewing_rings_no_bell_and_releasing_does(tmp_path: Path) -> None:
    with make_store(tmp_path) as store, Bell(store.home, "store") as bell:
        register(store)
        store.sessions.begin(make_session())
        bell.drain()
        store.holds.renew("h-1", ONE, "sue")
        assert not bell.drain()

        assert store.holds.release("h-1")
        assert bell.drain()
        assert not store.holds.release("h-1")


def test_a_session_that_ends_takes_its_leases_and_what_waited_with_it(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session(state=SessionState.PAUSED, paused_by="sue"))
        store.holds.renew("h-1", ONE, "sue")
        store.sessions.set_held(ONE, [Held(2, 4096)])
        assert store.sessions.get(ONE).held == (Held(2, 4096),)

        store.sessions.end(ONE, NOON)

        assert store.holds.beats(WORKER) == {}
        assert store.sessions.get(ONE).held == ()


def test_what_waits_is_forgotten_with_the_pause_and_not_known_without_one(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session(state=SessionState.PAUSED, paused_by="sue"))
        store.sessions.set_held(ONE, [Held(2, 4096)])

        store.sessions.set_state(ONE, SessionState.ACTIVE)
        store.sessions.set_held(ONE, [Held(2, 4096)])

        assert store.sessions.get(ONE).held == ()


def test_a_pause_that_is_taken_over_began_when_it_began(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        store.sessions.begin(make_session())
        for by, seconds in (("sue", 1), ("kim", 50)):
            at = NOON + timedelta(seconds=seconds)
            store.sessions.set_state(ONE, SessionState.PAUSED, paused_by=by, paused_at=at)

        found = store.sessions.get(ONE)
        assert (found.paused_by, found.paused_at) == ("kim", NOON + timedelta(seconds=1))


def test_an_order_keeps_how_its_pause_is_held_and_what_its_resume_closes(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())
        given = make_directive(hold="h-1", close_held=True)
        store.directives.add(given)

        assert store.directives.get(given.id) == given
