"""Orders and watching: written with their audit entry or not at all, then rung for."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.domain.inventory import Identity, Role
from psm_console.domain.names import SessionId
from psm_console.domain.session import Directive, Outcome, SessionState, Verb
from psm_console.operations import (
    Denied,
    Failed,
    NotFound,
    PsmError,
    Unreachable,
    Usage,
    add_identity,
    keep_watching,
    list_directives,
    list_sessions,
    pause,
    remove_identity,
    resume,
    show_session,
    start_watching,
    stop_watching,
    terminate,
    warn,
)
from psm_console.store import AuditEntry, Bell, Store, StoreError
from tests.store.factories import NOON

from .office import WORKER, Office

ONE = SessionId("s-7100")
Order = Callable[..., Directive]


def entries(place: Office, action: str) -> list[AuditEntry]:
    """Return the audit entries of an action."""
    return place.store.audit.list(action=action)


@pytest.mark.parametrize(
    ("order", "verb"),
    [(pause, Verb.PAUSE), (terminate, Verb.TERMINATE), (warn, Verb.WARN)],
)
def test_an_order_is_stored_noted_and_rung_for(place: Office, order: Order, verb: Verb) -> None:
    place.begin()
    with Bell(place.home, "store") as bell:
        directive = order(place.store, place.who("supervisor"), "s-7", "words", place.now)

        assert bell.drain()
    assert place.store.directives.pending(WORKER) == [directive]
    assert (directive.verb, directive.actor, directive.session) == (verb, "supervisor", ONE)
    assert directive.text == ("words" if verb is Verb.WARN else "")
    (entry,) = entries(place, f"session.{verb}")
    assert (entry.actor, entry.session) == ("supervisor", ONE)
    assert isinstance(entry.detail, dict)
    assert entry.detail["directive"] == directive.id
    assert "words" in entry.detail.values()
    supervisor = place.who("supervisor")
    assert list_directives(place.store, supervisor, "s-7", place.now) == [directive]


@pytest.mark.fault
@pytest.mark.parametrize("order", [pause, terminate, warn])
def test_where_the_audit_entry_can_not_be_written_there_is_no_order(
    place: Office, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.begin()

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(place.store.audit, "append", fail)

    with pytest.raises(Failed, match="the disk is full"):
        order(place.store, place.who("supervisor"), ONE, "words", place.now)

    assert place.store.directives.for_session(ONE) == []


@pytest.mark.fault
def test_where_looking_can_not_be_noted_nothing_may_be_shown(
    place: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.begin()
    with (
        Store.open(place.home, read_only=True, clock=place.clock) as reader,
        pytest.raises(Failed),
    ):
        start_watching(reader, place.who("analyst"), ONE, place.now)

    assert place.store.sessions.get(ONE).watchers == ()


@pytest.mark.fault
def test_a_watcher_whose_look_could_not_be_noted_is_not_counted(
    place: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.begin()

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(place.store.audit, "append", fail)
    with pytest.raises(Failed):
        start_watching(place.store, place.who("analyst"), ONE, place.now)

    assert place.store.sessions.get(ONE).watchers == ()


@pytest.mark.attack
@pytest.mark.parametrize(
    "words", ["a\x1b[2Jb", "a\u202eb", "a\x07b", "a\x9bb", "a\u200bb", "\ud800", "[/red]\x00"]
)
def test_hostile_words_are_visible_wherever_they_are_kept(place: Office, words: str) -> None:
    place.begin()

    directive = warn(place.store, place.who("supervisor"), ONE, words, place.now, reason=words)

    kept = [directive.text, directive.reason, str(entries(place, "session.warn")[0].detail)]
    assert all(text.isprintable() for text in kept)
    assert place.store.directives.get(directive.id) == directive


def test_words_on_several_lines_become_one(place: Office) -> None:
    place.begin()

    directive = warn(place.store, place.who("supervisor"), ONE, " a\n  b\tc ", place.now)

    assert directive.text == "a b c"


@pytest.mark.parametrize("words", ["", "   ", "\n"])
def test_terminating_needs_a_reason_and_warning_needs_words(place: Office, words: str) -> None:
    place.begin()
    for order in (terminate, warn):
        with pytest.raises(Usage):
            order(place.store, place.who("supervisor"), ONE, words, place.now)
    assert pause(place.store, place.who("supervisor"), ONE, words, place.now).reason == ""


def test_too_many_words_are_refused_not_cut(place: Office) -> None:
    place.begin()

    with pytest.raises(Usage, match="501 characters; 500 fit"):
        warn(place.store, place.who("supervisor"), ONE, "x" * 501, place.now)


IMPOSSIBLE = {
    (SessionState.ACTIVE, Verb.RESUME): Failed,
    (SessionState.CONNECTING, Verb.RESUME): Failed,
    (SessionState.PAUSED, Verb.PAUSE): Failed,
    (SessionState.ENDING, Verb.PAUSE): Failed,
    (SessionState.ENDING, Verb.RESUME): Failed,
    (SessionState.ENDING, Verb.WARN): Failed,
    **{(SessionState.ENDED, verb): Failed for verb in Verb},
    **{(SessionState.LOST, verb): Unreachable for verb in Verb},
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(SessionState, Verb)))
def test_an_order_that_nobody_can_carry_out_is_refused_at_once(
    place: Office, state: SessionState, verb: Verb
) -> None:
    place.begin(state=state, paused_by="bo" if state is SessionState.PAUSED else None)
    orders: dict[Verb, Order] = {
        Verb.PAUSE: pause,
        Verb.RESUME: resume,
        Verb.WARN: warn,
        Verb.TERMINATE: terminate,
    }
    order = orders[verb]
    expected = IMPOSSIBLE.get((state, verb))

    if expected is None:
        assert order(place.store, place.who("supervisor"), ONE, "w", place.now).verb is verb
        return
    with pytest.raises(PsmError) as caught:
        order(place.store, place.who("supervisor"), ONE, "w", place.now)

    assert type(caught.value) is expected
    assert place.store.directives.for_session(ONE) == []


@pytest.mark.fault
def test_an_order_for_a_session_whose_broker_died_says_so(place: Office) -> None:
    place.begin()
    place.clock.now = NOON + timedelta(seconds=6)

    with pytest.raises(Unreachable, match="lost") as caught:
        terminate(place.store, place.who("supervisor"), ONE, "why", place.now)

    assert caught.value.exit_code == 69


@pytest.mark.attack
def test_nobody_resumes_their_own_session(place: Office) -> None:
    both = Identity("ana", frozenset({Role.OPERATOR, Role.SUPERVISOR}), place.who("ana").keys)
    add_identity(place.store, place.who("admin"), both, place.now)
    place.begin(state=SessionState.PAUSED, paused_by="supervisor")

    with pytest.raises(Denied, match="somebody else"):
        resume(place.store, place.who("ana"), ONE, "", place.now)

    assert resume(place.store, place.who("supervisor"), ONE, "", place.now)


@pytest.mark.attack
def test_in_read_only_mode_no_order_is_given_and_the_try_is_noted(place: Office) -> None:
    place.begin()
    sue = place.who("supervisor")
    for order in (pause, resume, warn, terminate):
        with pytest.raises(Denied, match="read-only"):
            order(place.store, sue, ONE, "w", place.now, read_only=True)

    assert len(entries(place, "access.deny")) == 4
    assert place.store.directives.for_session(ONE) == []


def test_an_id_that_fits_nothing_or_several_is_an_error_with_its_code(place: Office) -> None:
    place.begin("s-1")
    place.begin("s-2")
    sue = place.who("supervisor")

    with pytest.raises(NotFound) as missing:
        terminate(place.store, sue, "x", "why", place.now)
    with pytest.raises(Usage) as several:
        terminate(place.store, sue, "s", "why", place.now)

    assert (missing.value.exit_code, several.value.exit_code) == (3, 2)


class TestWatching:
    def test_it_is_noted_before_the_folder_is_known_and_when_it_ends(self, place: Office) -> None:
        place.begin()
        ann = place.who("analyst")

        watch = start_watching(place.store, ann, "s-7", place.now, purpose="preview")

        assert watch.folder == place.home.recordings / ONE
        assert show_session(place.store, ann, ONE, place.now).watchers == ("analyst",)
        detail = entries(place, "session.shadow")[0].detail
        assert detail == {"purpose": "preview", "watch": watch.token}

        stop_watching(place.store, watch, place.now)
        stop_watching(place.store, watch, place.now)

        assert show_session(place.store, ann, ONE, place.now).watchers == ()
        assert len(entries(place, "session.unshadow")) == 1

    def test_a_watch_is_kept_by_saying_so(self, place: Office) -> None:
        place.begin()
        watch = start_watching(place.store, place.who("analyst"), ONE, place.now)
        for seconds in (10, 20):
            place.clock.now = NOON + timedelta(seconds=seconds)
            place.store.workers.heartbeat(WORKER, place.now)
            assert keep_watching(place.store, watch, place.now)

        assert place.store.sessions.get(ONE).watchers == ("analyst",)

    @pytest.mark.fault
    def test_a_console_that_slept_is_counted_again(self, place: Office) -> None:
        place.begin()
        watch = start_watching(place.store, place.who("analyst"), ONE, place.now)
        place.clock.now = NOON + timedelta(hours=1)
        place.store.workers.heartbeat(WORKER, place.now)
        other = start_watching(place.store, place.who("supervisor"), ONE, place.now)

        assert keep_watching(place.store, watch, place.now)

        assert set(place.store.sessions.get(ONE).watchers) == {"analyst", "supervisor"}
        stop_watching(place.store, other, place.now)

    @pytest.mark.attack
    def test_who_was_removed_is_told_to_stop_at_the_next_breath(self, place: Office) -> None:
        place.begin()
        watch = start_watching(place.store, place.who("analyst"), ONE, place.now)

        remove_identity(place.store, place.who("admin"), "analyst", place.now)

        assert keep_watching(place.store, watch, place.now) is False
        assert place.store.sessions.get(ONE).watchers == ()


def test_lists_carry_the_filters_through(place: Office, tmp_path: Path) -> None:
    place.begin("a", operator="bo")
    place.begin("b", state=SessionState.ENDED)
    sue = place.who("supervisor")

    assert [one.id for one in list_sessions(place.store, sue, place.now)] == ["a"]
    assert [one.id for one in list_sessions(place.store, sue, place.now, live_only=False)] == [
        "a",
        "b",
    ]
    assert list_sessions(place.store, sue, place.now, operator="ana") == []
    assert place.store.directives.pending(WORKER) == []
    assert Outcome.PENDING.value == "pending"


@pytest.mark.attack
def test_an_analyst_can_not_look_back_at_a_session_that_is_over(place: Office) -> None:
    place.begin()
    place.store.sessions.end(SessionId(ONE), place.now)

    with pytest.raises(Denied):
        start_watching(place.store, place.who("analyst"), ONE, place.now)
    assert start_watching(place.store, place.who("reviewer"), ONE, place.now).session.id == ONE
