"""Supervised sessions: they work while a supervisor watches, asserted on lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.domain.effects import (
    Acknowledge,
    Announce,
    Audit,
    Deliver,
    Effect,
    Hangup,
    OpenChannel,
    RefuseChannel,
    ReleaseInput,
    SaveAttention,
    SaveState,
)
from psm_console.domain.events import (
    ChannelAsked,
    Directed,
    Event,
    TargetOpened,
    Ticked,
    WatchReleased,
    WatchRenewed,
)
from psm_console.domain.inventory import Identity, Role
from psm_console.domain.live import BROKER, Gate, LiveSession
from psm_console.domain.names import DirectiveId
from psm_console.domain.pause import ENDING_SOON, UNWATCHED
from psm_console.domain.policy import Limits
from psm_console.domain.session import Outcome, SessionState, Verb
from psm_console.domain.supervision import LEASE_S, UNSUPERVISED, may_supervise

LIMITS = Limits(idle_s=0, duration_s=0, pause_s=900, warn_s=10)
BOTH = f"{UNSUPERVISED}; {UNWATCHED}"


def opened() -> LiveSession:
    live = LiveSession("ana", LIMITS, supervised=True)
    live.handle(TargetOpened(0.0))
    return live


def order(verb: Verb, at: float, by: str = "sue", hold: str = "") -> Directed:
    return Directed(at, DirectiveId(f"d-{verb}-{by}-{at}"), verb, by, hold=hold)


def at_work() -> LiveSession:
    """A session that sue watches since 1 s, and let work at 1.5 s."""
    live = opened()
    live.handle(WatchRenewed(1.0, "w1", "sue"))
    live.handle(order(Verb.RESUME, 1.5))
    assert live.state is SessionState.ACTIVE
    return live


def attention(effects: list[Effect]) -> str | None:
    return [one.text for one in effects if isinstance(one, SaveAttention)][-1]


def answer(effects: list[Effect]) -> Acknowledge:
    (found,) = [one for one in effects if isinstance(one, Acknowledge)]
    return found


def actions(effects: list[Effect]) -> list[str]:
    return [one.action for one in effects if isinstance(one, Audit)]


def test_it_begins_paused_by_the_broker_and_says_what_it_waits_for() -> None:
    live = LiveSession("ana", LIMITS, supervised=True)

    effects = live.handle(TargetOpened(0.0))

    assert live.state is SessionState.PAUSED and live.paused_by == BROKER
    assert SaveState(SessionState.PAUSED, BROKER) in effects
    assert [one.text for one in effects if isinstance(one, Announce)] == [UNSUPERVISED]
    assert attention(effects) == BOTH
    assert actions(effects) == ["session.start", "supervision.lapse", "session.paused"]


def test_its_first_channels_wait_and_say_why_and_forwards_and_later_pauses_refuse() -> None:
    live = opened()
    assert live.handle(ChannelAsked(0.5, 1, "exec")) == [OpenChannel(1, UNSUPERVISED)]
    assert live.input_gate(pty=True) is Gate.DISCARD
    live.handle(WatchRenewed(1.0, "w1", "sue"))
    live.handle(order(Verb.RESUME, 1.5))
    assert live.handle(ChannelAsked(2.0, 2, "shell")) == [OpenChannel(2)]

    live.handle(WatchReleased(3.0, "w1"))

    refused = live.handle(ChannelAsked(3.5, 3, "shell"))
    assert isinstance(refused[-1], RefuseChannel)


def test_one_that_is_watched_when_its_target_opens_begins_at_once() -> None:
    live = LiveSession("ana", LIMITS, supervised=True)
    live.handle(WatchRenewed(0.1, "w1", "sue"))

    assert SaveState(SessionState.ACTIVE) in live.handle(TargetOpened(0.2))
    assert live.state is SessionState.ACTIVE


def test_watching_resumes_nothing_and_calms_the_alert() -> None:
    live = opened()

    effects = live.handle(WatchRenewed(1.0, "w1", "sue"))

    assert live.state is SessionState.PAUSED
    assert attention(effects) == UNWATCHED
    assert actions(effects) == ["supervision.begin"]


@pytest.mark.attack
def test_a_resume_while_no_supervisor_watches_is_refused_with_a_sentence() -> None:
    live = opened()
    for by in ("sue", "ana"):
        assert answer(live.handle(order(Verb.RESUME, 1.0, by))).outcome is Outcome.REFUSED
    assert "shadow it, then resume" in answer(live.handle(order(Verb.RESUME, 1.0))).detail
    live.handle(WatchRenewed(2.0, "w1", "sue"))
    live.handle(WatchReleased(2.5, "w1"))
    assert answer(live.handle(order(Verb.RESUME, 2.6))).outcome is Outcome.REFUSED
    assert live.state is SessionState.PAUSED


@pytest.mark.fault
def test_the_last_watch_that_runs_out_stops_it_and_the_alert_is_out() -> None:
    live = at_work()
    live.handle(WatchRenewed(2.0, "w2", "kim"))
    assert live.next_deadline() == 1.0 + LEASE_S
    assert live.handle(Ticked(1.0 + LEASE_S)) == []

    assert live.next_deadline() == 2.0 + LEASE_S
    effects = live.handle(Ticked(2.0 + LEASE_S))

    assert live.state is SessionState.PAUSED and live.paused_by == BROKER
    assert live.input_gate(pty=True) is Gate.DISCARD
    assert attention(effects) == BOTH
    assert not any(isinstance(one, (Deliver, ReleaseInput)) for one in effects)


def test_a_window_that_is_closed_stops_it_at_once_unless_another_is_open() -> None:
    live = at_work()
    live.handle(WatchRenewed(2.0, "w2", "kim"))

    assert live.handle(WatchReleased(2.1, "w1")) == []
    assert attention(live.handle(WatchReleased(2.2, "w2"))) == BOTH


@pytest.mark.fault
def test_nobody_who_comes_in_time_ends_it_at_the_maximum_and_it_is_told_before() -> None:
    live = at_work()
    found: list[tuple[int, Effect]] = []
    for at in range(2, 200):
        found += [(at, one) for one in live.handle(Ticked(float(at)))]

    assert not any(isinstance(one, (Deliver, ReleaseInput)) for _, one in found)
    ((ended, end),) = [(at, one) for at, one in found if isinstance(one, Hangup)]
    # The watch ran out at 3.6 s, which the tick at 4 s learnt.
    assert ended == 124 and end.reason == "no supervisor has watched for 2 min"
    (said,) = [one for at, one in found if isinstance(one, SaveAttention) and 4 < at < 124]
    assert (114, said) in found and ENDING_SOON in (said.text or "")


def test_who_comes_in_time_stops_the_maximum_and_resumes() -> None:
    live = at_work()
    live.handle(Ticked(4.0))
    for at in range(100, 200):
        live.handle(WatchRenewed(float(at), "w2", "kim"))
        live.handle(Ticked(at + 0.5))

    assert live.state is SessionState.PAUSED
    assert answer(live.handle(order(Verb.RESUME, 200.0, "kim"))).outcome is Outcome.DONE


@pytest.mark.fault
def test_a_supervisor_s_own_pause_does_not_take_the_place_of_watching() -> None:
    live = at_work()
    live.handle(order(Verb.PAUSE, 2.0, hold="sue-1"))

    effects = live.handle(WatchReleased(2.5, "w1"))

    assert live.paused_by == "sue" and attention(effects) == UNSUPERVISED
    assert answer(live.handle(order(Verb.RESUME, 3.0))).outcome is Outcome.REFUSED
    assert any(isinstance(one, Hangup) for one in live.handle(Ticked(2.5 + 120)))


def test_the_end_takes_the_alert_back() -> None:
    assert attention(opened().handle(order(Verb.TERMINATE, 1.0))) is None


def test_a_session_that_is_not_supervised_heeds_no_watch() -> None:
    live = LiveSession("ana", LIMITS)
    live.handle(TargetOpened(0.0))

    for event in (WatchRenewed(1.0, "w", "sue"), WatchReleased(2.0, "w"), Ticked(9.0)):
        assert live.handle(event) == []
    assert live.state is SessionState.ACTIVE


@pytest.mark.attack
@pytest.mark.parametrize(
    ("name", "roles", "may"),
    [
        ("sue", {Role.SUPERVISOR}, True),
        ("ana", {Role.OPERATOR, Role.SUPERVISOR}, False),
        ("bo", {Role.ANALYST}, False),
        ("ada", {Role.ADMIN, Role.REVIEWER, Role.AUDITOR}, False),
    ],
)
def test_who_supervises_may_end_it_and_does_not_work_in_it(
    name: str, roles: set[Role], may: bool
) -> None:
    assert may_supervise(Identity(name, frozenset(roles)), "ana") is may


STEPS = st.sampled_from(["renew w1", "renew w2", "close w1", "close w2", "pause", "resume", "tick"])


@given(st.lists(st.tuples(STEPS, st.floats(0.01, 3.0)), max_size=40))
def test_whatever_comes_in_whatever_order_input_passes_only_while_somebody_watches(
    steps: list[tuple[str, float]],
) -> None:
    live, at = opened(), 0.0
    for step, later in steps:
        at += later
        while (due := live.next_deadline()) is not None and due < at:
            live.handle(Ticked(due))
        word, _, name = step.partition(" ")
        event: Event
        match word:
            case "renew":
                event = WatchRenewed(at, name, "sue")
            case "close":
                event = WatchReleased(at, name)
            case "tick":
                event = Ticked(at)
            case _:
                event = order(Verb(word), at, "kim")
        live.handle(event)
        watched = live.supervision is not None and live.supervision.watched
        assert watched or live.input_gate(pty=True) in (Gate.DISCARD, Gate.SHUT)
