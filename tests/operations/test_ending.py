"""Ending many sessions at once, and holding a pause: what is written, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from psm_console.domain.inventory import Role
from psm_console.domain.names import AccountRef, SessionId
from psm_console.domain.pause import UNWATCHED
from psm_console.domain.session import Outcome, Receipt, SessionState, Verb
from psm_console.operations import (
    Chosen,
    Denied,
    Failed,
    Hold,
    Usage,
    keep_holding,
    new_hold,
    pause,
    sessions_to_end,
    stop_holding,
    terminate_many,
)
from psm_console.store import StoreError
from tests.store.factories import NOON

from .office import WORKER, Office

ONE = SessionId("s-7100")


def three(place: Office) -> None:
    place.begin("s-1", operator="ana")
    place.begin("s-2", operator="bo", account=AccountRef("root", "db2"))
    place.begin("s-3", operator="bo", state=SessionState.PAUSED, paused_by="kim")
    place.begin("s-4", state=SessionState.ENDED)
    place.store.sessions.end(SessionId("s-4"), NOON)


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (Chosen(), ["s-1", "s-2", "s-3"]),
        (Chosen(operator="bo"), ["s-2", "s-3"]),
        (Chosen(target="db2"), ["s-2"]),
        (Chosen(target="root@db1", operator="b*"), ["s-3"]),
        (Chosen(operator="nobody"), []),
    ],
)
def test_what_is_chosen_is_what_is_ordered_to_end(
    place: Office, chosen: Chosen, ids: list[str]
) -> None:
    three(place)
    sue = place.who("supervisor")
    assert [one.id for one in sessions_to_end(place.store, sue, chosen, place.now)] == ids

    ending = terminate_many(place.store, sue, chosen, "fire", place.now)

    assert [session.id for session, _ in ending.given] == ids
    pending = place.store.directives.pending(WORKER)
    assert [(one.session, one.verb, one.reason) for one in pending] == [
        (one, Verb.TERMINATE, "fire") for one in ids
    ]
    audited = place.store.audit.list(action="session.terminate")
    assert sorted(str(entry.session) for entry in audited) == ids


@pytest.mark.fault
def test_all_are_ordered_or_none(place: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    three(place)
    true, calls = place.store.audit.append, [0]

    def fail(*given: object, **named: object) -> object:
        calls[0] += 1
        if calls[0] == 3:
            raise StoreError("the disk is full")
        return true(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(place.store.audit, "append", fail)
    with pytest.raises(Failed, match="the disk is full"):
        terminate_many(place.store, place.who("supervisor"), Chosen(), "fire", place.now)

    assert place.store.directives.pending(WORKER) == []


@pytest.mark.attack
def test_who_may_not_end_sessions_ends_none_of_many(place: Office) -> None:
    three(place)
    for read_only, name in ((False, "analyst"), (True, "supervisor")):
        with pytest.raises(Denied):
            terminate_many(
                place.store, place.who(name), Chosen(), "x", place.now, read_only=read_only
            )
    with pytest.raises(Usage):
        terminate_many(place.store, place.who("supervisor"), Chosen(), " ", place.now)
    assert place.store.directives.pending(WORKER) == []


def test_those_that_have_their_order_get_no_second_one_and_lost_ones_are_named(
    place: Office,
) -> None:
    three(place)
    place.begin("s-5", worker=None)

    ending = terminate_many(
        place.store,
        place.who("supervisor"),
        Chosen(),
        "fire",
        place.now,
        besides=frozenset({"s-1", "s-2"}),
    )

    assert [session.id for session, _ in ending.given] == ["s-3"]
    assert [session.id for session in ending.lost] == ["s-5"]


def held(place: Office) -> Hold:
    place.begin()
    sue = place.who("supervisor")
    return Hold(pause(place.store, sue, ONE, "look", place.now, hold=new_hold()), sue)


def settle(place: Office, hold: Hold, outcome: Outcome = Outcome.DONE) -> None:
    place.store.directives.finish(hold.directive.id, outcome, Receipt())
    if outcome is Outcome.DONE:
        place.store.sessions.set_state(
            ONE, SessionState.PAUSED, paused_by="supervisor", paused_at=NOON
        )


def test_a_pause_is_held_from_its_order_on_until_it_is_over(place: Office) -> None:
    hold = held(place)
    assert place.store.holds.beats(WORKER) == {hold.directive.hold: 1}
    assert keep_holding(place.store, hold)
    settle(place, hold)
    assert keep_holding(place.store, hold)
    assert place.store.holds.beats(WORKER) == {hold.directive.hold: 3}

    place.store.sessions.set_state(ONE, SessionState.ACTIVE)

    assert not keep_holding(place.store, hold)
    assert place.store.holds.beats(WORKER) == {}


def test_a_pause_that_was_refused_or_taken_over_is_not_held(place: Office) -> None:
    hold = held(place)
    settle(place, hold)
    place.store.sessions.set_state(ONE, SessionState.PAUSED, paused_by="kim", paused_at=NOON)
    assert not keep_holding(place.store, hold)
    settle(place, hold, Outcome.REFUSED)
    assert not keep_holding(place.store, hold)


@pytest.mark.attack
def test_who_was_demoted_holds_no_pause_any_more(place: Office) -> None:
    hold = held(place)
    settle(place, hold)
    inventory = place.store.inventory.load()
    sue = replace(place.who("supervisor"), roles=frozenset({Role.ANALYST}))
    everybody = {**inventory.identities, "supervisor": sue}
    place.store.inventory.replace(replace(inventory, identities=everybody))

    assert not keep_holding(place.store, hold)
    assert place.store.holds.beats(WORKER) == {}


def test_leaving_gives_the_lease_back(place: Office) -> None:
    hold = held(place)
    stop_holding(place.store, hold)
    stop_holding(place.store, hold)

    assert place.store.holds.beats(WORKER) == {}


def test_an_unwatched_pause_is_taken_over_only_by_who_will_hold_it(place: Office) -> None:
    place.begin(state=SessionState.PAUSED, paused_by="kim")
    sue = place.who("supervisor")
    with pytest.raises(Failed, match="paused already, by kim"):
        pause(place.store, sue, ONE, "", place.now, hold=new_hold())
    place.store.sessions.set_attention(ONE, UNWATCHED)
    with pytest.raises(Failed, match="nobody holds the pause"):
        pause(place.store, sue, ONE, "", place.now)

    assert pause(place.store, sue, ONE, "", place.now, hold=new_hold()).verb is Verb.PAUSE
