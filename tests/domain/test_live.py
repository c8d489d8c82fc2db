"""What may change a live session, asserted on lists."""

from __future__ import annotations

import pytest

from psm_console.domain.effects import (
    Acknowledge,
    Announce,
    Audit,
    Deliver,
    Effect,
    EndChannel,
    Hangup,
    HoldInput,
    Mark,
    NoticeKind,
    OpenChannel,
    RefuseChannel,
    ReleaseInput,
    SaveEnd,
)
from psm_console.domain.events import (
    ChannelAsked,
    ChannelClosed,
    ChannelFaulted,
    ConnectionLost,
    Directed,
    Draining,
    Event,
    Finished,
    RecorderFailed,
    Stopped,
    TargetOpened,
    TargetRefused,
    Ticked,
)
from psm_console.domain.live import Gate, LiveSession
from psm_console.domain.names import DirectiveId
from psm_console.domain.policy import Limits
from psm_console.domain.session import Outcome, SessionState, Step, Verb

NO_LIMITS = Limits(idle_s=0, duration_s=0, pause_s=0)


def opened(limits: Limits = NO_LIMITS, grant_expires_at: float | None = None) -> LiveSession:
    live = LiveSession("ana", limits, grant_expires_at)
    live.handle(TargetOpened(0.5))
    return live


def order(
    verb: Verb, at: float = 1.0, by: str = "sue", reason: str = "", text: str = ""
) -> Directed:
    return Directed(at, DirectiveId(f"d-{verb}-{by}"), verb, by, reason, text)


def in_state(state: SessionState) -> LiveSession:
    live = LiveSession("ana", NO_LIMITS)
    if state is not SessionState.CONNECTING:
        live.handle(TargetOpened(0.1))
    if state is SessionState.PAUSED:
        live.handle(order(Verb.PAUSE))
    if state in (SessionState.ENDING, SessionState.ENDED):
        live.handle(order(Verb.TERMINATE))
    if state is SessionState.ENDED:
        live.handle(Finished(2.0))
    assert live.state is state
    return live


def answers(effects: list[Effect]) -> list[Outcome]:
    return [effect.outcome for effect in effects if isinstance(effect, Acknowledge)]


def test_nothing_passes_before_the_target_is_open() -> None:
    live = in_state(SessionState.CONNECTING)

    assert live.input_gate(pty=True) is Gate.HOLD
    assert live.output_gate() is Gate.SHUT


def test_an_active_session_forwards_both_ways() -> None:
    live = opened()

    assert live.input_gate(pty=True) is live.input_gate(pty=False) is Gate.FORWARD
    assert live.output_gate() is Gate.FORWARD


def test_what_is_typed_while_paused_is_discarded_and_a_pipe_is_left_unread() -> None:
    live = opened()

    live.handle(order(Verb.PAUSE))

    assert live.input_gate(pty=True) is Gate.DISCARD
    assert live.input_gate(pty=False) is Gate.HOLD
    assert live.output_gate() is Gate.WITHHOLD


def test_the_gate_is_closed_before_a_pause_is_acknowledged() -> None:
    effects = opened().handle(order(Verb.PAUSE))

    assert answers(effects) == [Outcome.DONE]
    assert effects.index(HoldInput()) < len(effects) - 1
    assert isinstance(effects[-1], Acknowledge)


def test_a_resume_speaks_first_then_delivers_then_lets_input_pass() -> None:
    live = opened()
    live.handle(order(Verb.PAUSE))

    effects = live.handle(order(Verb.RESUME, 9.0, "kim"))

    said = effects.index(Announce(NoticeKind.RESUME, "kim", ""))
    assert said < effects.index(Deliver()) < effects.index(ReleaseInput())
    assert live.input_gate(pty=True) is Gate.FORWARD


def test_nobody_resumes_their_own_session() -> None:
    live = opened()
    live.handle(order(Verb.PAUSE))

    effects = live.handle(order(Verb.RESUME, by="ana"))

    assert answers(effects) == [Outcome.REFUSED]
    assert live.state is SessionState.PAUSED


@pytest.mark.parametrize("state", [s for s in SessionState if s is not SessionState.LOST])
@pytest.mark.parametrize("verb", list(Verb))
def test_every_order_is_audited_even_when_refused(state: SessionState, verb: Verb) -> None:
    effects = in_state(state).handle(order(verb, 3.0, "kim"))

    audited = [effect.action for effect in effects if isinstance(effect, Audit)]
    if state is SessionState.ENDED:
        assert effects == []
    else:
        assert any(action.startswith(f"session.{verb}") for action in audited)


@pytest.mark.parametrize(
    "state", [SessionState.CONNECTING, SessionState.ACTIVE, SessionState.PAUSED]
)
def test_terminate_ends_the_session_in_every_state(state: SessionState) -> None:
    live = in_state(state)

    effects = live.handle(order(Verb.TERMINATE, reason="exfiltration"))

    assert Hangup("exfiltration", "sue") in effects
    assert live.input_gate(pty=True) is live.output_gate() is Gate.SHUT


def test_terminate_is_acknowledged_only_when_the_hang_up_is_finished() -> None:
    live = opened()

    ending = live.handle(order(Verb.TERMINATE))
    ended = live.handle(Finished(2.0, (Step("operator leg closed", 1500.0),), "abc"))

    assert answers(ending) == []
    assert answers(ended) == [Outcome.DONE]


def test_a_second_terminate_gets_the_receipt_of_the_first_ending() -> None:
    live = opened()
    live.handle(order(Verb.TERMINATE))

    assert answers(live.handle(order(Verb.TERMINATE, by="kim"))) == []
    ended = live.handle(Finished(2.0))

    assert [e.directive for e in ended if isinstance(e, Acknowledge)] == [
        "d-terminate-sue",
        "d-terminate-kim",
    ]


def test_a_failed_step_makes_the_answer_a_failure() -> None:
    live = opened()
    live.handle(order(Verb.TERMINATE))

    ended = live.handle(Finished(2.0, (Step("recording sealed", None, failed=True),)))

    assert answers(ended) == [Outcome.FAILED]


def test_nothing_follows_the_end() -> None:
    live = in_state(SessionState.ENDED)
    events: list[Event] = [
        TargetOpened(3.0),
        ChannelAsked(3.0, 1, "shell"),
        order(Verb.WARN),
        Ticked(1e9),
        ConnectionLost(3.0, "operator"),
        RecorderFailed(3.0, "late"),
        Stopped(3.0, "late"),
        Finished(3.0),
    ]

    assert [effect for event in events for effect in live.handle(event)] == []


def test_a_channel_opens_only_in_an_active_session() -> None:
    live = opened()

    assert live.handle(ChannelAsked(1.0, 1, "shell")) == [OpenChannel(1)]
    live.handle(order(Verb.PAUSE))
    refused = live.handle(ChannelAsked(2.0, 2, "exec"))

    assert any(isinstance(e, RefuseChannel) and "paused by sue" in e.reason for e in refused)


@pytest.mark.parametrize("kind", ["subsystem netconf", "x11", "", "shell\n"])
def test_a_kind_of_channel_that_is_unknown_is_refused(kind: str) -> None:
    refused = opened().handle(ChannelAsked(1.0, 1, kind))

    assert not any(isinstance(effect, OpenChannel) for effect in refused)
    assert any(isinstance(effect, RefuseChannel) for effect in refused)


def test_a_channel_that_can_not_be_followed_ends_alone() -> None:
    live = opened()
    live.handle(ChannelAsked(1.0, 1, "subsystem sftp"))
    live.handle(ChannelAsked(1.0, 2, "shell"))

    effects = live.handle(ChannelFaulted(2.0, 1, "no SFTP"))

    assert EndChannel(1, "no SFTP") in effects
    assert any(isinstance(e, Audit) and "no SFTP" in e.detail for e in effects)
    assert live.state is SessionState.ACTIVE
    assert live.handle(ChannelFaulted(2.0, 3, "never opened")) == []
    live.handle(order(Verb.TERMINATE))
    assert live.handle(ChannelFaulted(3.0, 2, "too late")) == []


def test_no_more_channels_open_than_the_limit_and_a_closed_one_makes_room() -> None:
    live = opened(Limits(channels=2))

    for number in (1, 2):
        assert live.handle(ChannelAsked(1.0, number, "exec")) == [OpenChannel(number)]
    assert not any(
        isinstance(effect, OpenChannel) for effect in live.handle(ChannelAsked(1.0, 3, "exec"))
    )
    live.handle(ChannelClosed(2.0, 1))

    assert live.handle(ChannelAsked(2.0, 4, "exec")) == [OpenChannel(4)]


def test_a_recorder_failure_shuts_the_gates_and_writes_nothing_more_into_the_recording() -> None:
    live = opened()

    effects = live.handle(RecorderFailed(1.0, "ENOSPC"))

    assert live.input_gate(pty=False) is live.output_gate() is Gate.SHUT
    assert Hangup("the recording failed", "broker") in effects
    assert not any(isinstance(effect, Mark) for effect in effects)


def test_a_refused_target_ends_the_session_with_its_reason() -> None:
    live = LiveSession("ana", NO_LIMITS)

    assert Hangup("db1 is down", "broker") in live.handle(TargetRefused(1.0, "db1 is down"))


def test_the_end_says_who_and_why_and_carries_the_digest() -> None:
    live = opened()
    live.handle(ConnectionLost(4.0, "operator"))

    ended = live.handle(Finished(5.0, (), "abc"))

    assert SaveEnd(5.0, "the operator closed the connection", "ana", "abc") in ended


def test_idling_is_warned_of_once_and_then_ends_the_session() -> None:
    live = opened(Limits(idle_s=100, duration_s=0, pause_s=0, warn_s=10))

    assert live.next_deadline() == 90
    warned = live.handle(Ticked(90))
    again = live.handle(Ticked(95))
    ended = live.handle(Ticked(100))

    assert [e for e in warned if isinstance(e, Announce)] and not again
    assert any(isinstance(e, Hangup) and "no input for 100 s" in e.reason for e in ended)


def test_input_moves_the_idle_limit_and_output_does_not() -> None:
    live = opened(Limits(idle_s=100, duration_s=0, pause_s=0, warn_s=10))

    live.input_received(50)

    assert live.next_deadline() == 140
    assert live.handle(Ticked(100)) == []


def test_a_pause_that_reaches_its_maximum_ends_the_session_and_never_resumes_it() -> None:
    live = opened(Limits(idle_s=0, duration_s=0, pause_s=60, warn_s=10))
    live.handle(order(Verb.PAUSE, 5.0))

    assert live.next_deadline() == 55
    live.handle(Ticked(55))
    ended = live.handle(Ticked(65))

    assert any(isinstance(e, Hangup) for e in ended)
    assert not any(isinstance(e, (Deliver, ReleaseInput)) for e in ended)


def test_idle_time_does_not_run_while_paused_and_starts_again_at_the_resume() -> None:
    live = opened(Limits(idle_s=30, duration_s=0, pause_s=0, warn_s=10))
    live.handle(order(Verb.PAUSE, 5.0))

    assert live.next_deadline() is None
    live.handle(order(Verb.RESUME, 500.0))

    assert live.next_deadline() == 520


def test_a_grant_that_expires_ends_the_session_at_that_instant() -> None:
    live = opened(NO_LIMITS, grant_expires_at=20.0)

    ended = live.handle(Ticked(20.0))

    assert Hangup("the grant has expired", "broker") in ended


def test_the_longest_duration_ends_a_busy_session() -> None:
    live = opened(Limits(idle_s=0, duration_s=50, pause_s=0))
    live.input_received(49.9)

    assert any(isinstance(effect, Hangup) for effect in live.handle(Ticked(50)))


def test_a_session_is_told_of_a_broker_that_is_replaced_and_ends_when_its_time_is_up() -> None:
    live = opened(Limits(idle_s=0, duration_s=0, pause_s=0, warn_s=60))
    said = [
        effect for effect in live.handle(Draining(10.0, 3600.0)) if isinstance(effect, Announce)
    ]
    assert [one.text.partition(":")[0] for one in said] == ["this session ends in 60 min"]
    assert live.state is SessionState.ACTIVE
    assert live.next_deadline() == 3550.0
    live.handle(Ticked(3550.0))
    assert live.state is SessionState.ACTIVE
    assert Hangup("the broker is being replaced", "broker") in live.handle(Ticked(3610.0))


@pytest.mark.attack
def test_more_messages_than_can_be_read_are_refused_until_there_was_time() -> None:
    live = opened()
    for at in (1.0, 2.0, 3.0, 4.0, 5.0):
        assert any(isinstance(e, Announce) for e in live.handle(order(Verb.WARN, at, text="stop")))

    effects = live.handle(order(Verb.WARN, 6.0, text="stop"))

    assert not any(isinstance(effect, Announce) for effect in effects)
    answer = effects[-1]
    assert isinstance(answer, Acknowledge) and answer.outcome is Outcome.REFUSED
    assert answer.detail == "5 messages in 20 s are the most; say it again in 15 s"
    assert any(isinstance(e, Announce) for e in live.handle(order(Verb.WARN, 21.0, text="stop")))


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.WARN, Verb.TERMINATE])
def test_a_marker_says_what_it_is_about_apart_from_its_words(verb: Verb) -> None:
    marks = [e for e in opened().handle(order(verb, text="x")) if isinstance(e, Mark)]

    assert [mark.kind for mark in marks] == ["end" if verb is Verb.TERMINATE else verb]
