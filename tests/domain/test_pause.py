"""A pause and the one who holds it, asserted on lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.domain.effects import (
    Acknowledge,
    Audit,
    Deliver,
    Effect,
    EndChannel,
    Hangup,
    ReleaseInput,
    SaveAttention,
)
from psm_console.domain.events import (
    ChannelAsked,
    Directed,
    Finished,
    HoldReleased,
    HoldRenewed,
    TargetOpened,
    Ticked,
)
from psm_console.domain.live import Gate, LiveSession
from psm_console.domain.names import DirectiveId
from psm_console.domain.pause import ENDING_SOON, LEASE_S, UNWATCHED
from psm_console.domain.policy import Limits
from psm_console.domain.session import Held, Outcome, SessionState, Verb

PAUSE_S = 60.0
LIMITS = Limits(idle_s=0, duration_s=0, pause_s=PAUSE_S, warn_s=10)


def opened(limits: Limits = LIMITS) -> LiveSession:
    live = LiveSession("ana", limits)
    live.handle(TargetOpened(0.0))
    return live


def order(verb: Verb, at: float, by: str = "sue", hold: str = "") -> Directed:
    return Directed(at, DirectiveId(f"d-{verb}-{by}-{at}"), verb, by, hold=hold)


def paused(hold: str = "sue-1") -> LiveSession:
    live = opened()
    live.handle(order(Verb.PAUSE, 1.0, hold=hold))
    return live


def attention(effects: list[Effect]) -> list[str | None]:
    return [effect.text for effect in effects if isinstance(effect, SaveAttention)]


def answer(effects: list[Effect]) -> Acknowledge:
    (found,) = [effect for effect in effects if isinstance(effect, Acknowledge)]
    return found


def actions(effects: list[Effect]) -> list[str]:
    return [effect.action for effect in effects if isinstance(effect, Audit)]


def test_a_pause_that_is_held_alerts_nobody_while_its_lease_is_renewed() -> None:
    live = paused()

    for second in range(2, 40):
        assert live.handle(HoldRenewed(float(second), "sue-1")) == []
        assert live.handle(Ticked(second + 0.5)) == []


@pytest.mark.fault
def test_a_lease_that_runs_out_leaves_the_session_paused_and_alerts_the_others() -> None:
    live = paused()
    live.handle(HoldRenewed(4.0, "sue-1"))

    assert live.next_deadline() == 4.0 + LEASE_S
    effects = live.handle(Ticked(4.0 + LEASE_S))

    assert attention(effects) == [UNWATCHED]
    assert actions(effects) == ["pause.lapse"]
    assert live.state is SessionState.PAUSED
    assert live.input_gate(pty=True) is Gate.DISCARD
    assert not any(isinstance(effect, (Deliver, ReleaseInput)) for effect in effects)


@pytest.mark.fault
def test_nothing_that_time_brings_resumes_a_pause() -> None:
    live = paused()
    found = [effect for at in range(2, 200) for effect in live.handle(Ticked(float(at)))]

    assert not any(isinstance(effect, (Deliver, ReleaseInput)) for effect in found)
    (end,) = [effect for effect in found if isinstance(effect, Hangup)]
    assert "the longest a pause may last" in end.reason


def test_a_pause_that_nobody_holds_is_unwatched_from_its_first_instant() -> None:
    live = opened()

    effects = live.handle(order(Verb.PAUSE, 1.0))

    assert attention(effects) == [UNWATCHED]
    assert "unwatched" in answer(effects).detail


def test_a_console_that_is_left_tells_it_at_once() -> None:
    assert attention(paused().handle(HoldReleased(2.0, "sue-1"))) == [UNWATCHED]


def test_a_holder_who_was_thought_dead_and_comes_back_holds_again() -> None:
    live = paused()
    live.handle(Ticked(10.0))

    effects = live.handle(HoldRenewed(11.0, "sue-1"))

    assert attention(effects) == [None]
    assert actions(effects) == ["pause.hold"]


@pytest.mark.attack
def test_a_lease_of_somebody_else_keeps_no_pause() -> None:
    live = paused()

    for at in (2.0, 3.0, 4.0):
        assert live.handle(HoldRenewed(at, "")) == live.handle(HoldRenewed(at, "kim-1")) == []
        assert live.handle(HoldReleased(at, "kim-1")) == []

    assert attention(live.handle(Ticked(1.0 + LEASE_S))) == [UNWATCHED]


def test_a_held_pause_is_not_taken_away_and_the_second_is_told_by_whom_it_is_held() -> None:
    effects = paused().handle(order(Verb.PAUSE, 2.0, "kim", "kim-1"))

    assert answer(effects).outcome is Outcome.REFUSED
    assert "paused already, by sue, who holds the pause" in answer(effects).detail


def test_an_unwatched_pause_is_taken_over_and_keeps_its_maximum() -> None:
    live = paused()
    live.handle(Ticked(10.0))

    effects = live.handle(order(Verb.PAUSE, 11.0, "kim", "kim-1"))

    assert answer(effects).outcome is Outcome.DONE
    assert attention(effects) == [None]
    assert live.paused_by == "kim"
    assert live.handle(HoldRenewed(12.0, "sue-1")) == []
    for second in range(12, 61):
        live.handle(HoldRenewed(float(second), "kim-1"))
    assert any(isinstance(e, Hangup) for e in live.handle(Ticked(1.0 + PAUSE_S)))


@pytest.mark.attack
def test_who_works_in_a_session_does_not_calm_the_alert_over_its_pause() -> None:
    live = paused()
    live.handle(Ticked(10.0))

    effects = live.handle(order(Verb.PAUSE, 11.0, "ana", "ana-1"))

    assert answer(effects).outcome is Outcome.REFUSED
    assert attention(effects) == []


def test_those_who_look_are_told_before_a_pause_ends_its_session() -> None:
    live = paused()
    for second in range(2, 51):
        live.handle(HoldRenewed(float(second), "sue-1"))

    assert attention(live.handle(Ticked(1.0 + PAUSE_S - 10))) == [ENDING_SOON]


@pytest.mark.parametrize("verb", [Verb.RESUME, Verb.TERMINATE])
def test_what_a_pause_drew_attention_to_goes_with_it_and_the_rest_stays(verb: Verb) -> None:
    live = paused("")
    live.attention.draw("something else")

    assert attention(live.handle(order(verb, 2.0, "kim"))) == ["something else"]


def test_a_resume_that_closes_what_waited_does_so_before_any_input_is_let_go() -> None:
    live = opened()
    live.handle(ChannelAsked(0.5, 1, "exec"))
    live.handle(order(Verb.PAUSE, 1.0))
    held = (Held(1, 4096),)
    resume = Directed(2.0, DirectiveId("d"), Verb.RESUME, "sue", close_held=True, held=held)

    effects = live.handle(resume)

    ends = [place for place, one in enumerate(effects) if isinstance(one, EndChannel)]
    assert effects.index(Deliver()) < ends[0] < effects.index(ReleaseInput())
    assert "closed: channel 1 with 4096 bytes" in answer(effects).detail


def test_a_resume_says_what_it_passed_on() -> None:
    live = paused()
    resume = Directed(2.0, DirectiveId("d"), Verb.RESUME, "sue", held=(Held(2, 7),))

    effects = live.handle(resume)

    assert not any(isinstance(effect, EndChannel) for effect in effects)
    assert "passed on: channel 2 with 7 bytes" in answer(effects).detail


ORDERS = st.tuples(
    st.sampled_from(list(Verb)), st.sampled_from(["sue", "kim", "ana"]), st.sampled_from(["", "h"])
)


@given(st.lists(ORDERS, max_size=12))
def test_every_order_of_any_race_is_answered_once_and_one_changes_the_state(
    orders: list[tuple[Verb, str, str]],
) -> None:
    """Whatever several supervisors order at once: a winner each time, and nobody is forgotten."""
    live = opened()
    answers: list[Acknowledge] = []
    waiting: list[DirectiveId] = []
    for number, (verb, by, hold) in enumerate(orders):
        before = live.state
        one = Directed(float(number), DirectiveId(f"d-{number}"), verb, by, hold=hold)
        found = [e for e in live.handle(one) if isinstance(e, Acknowledge)]
        answers += found
        if verb is Verb.TERMINATE:
            waiting.append(one.directive)
            assert found == [] and live.state is SessionState.ENDING
        else:
            (only,) = found
            changed = live.state is not before
            assert not changed or only.outcome is Outcome.DONE
            if verb is Verb.RESUME and by == "ana":
                assert only.outcome is Outcome.REFUSED
    if waiting:
        answers += [e for e in live.handle(Finished(99.0)) if isinstance(e, Acknowledge)]
    assert sorted(e.directive for e in answers) == sorted(f"d-{n}" for n in range(len(orders)))
