"""The gate's answers about forwards, and what is said where nothing can be shown."""

from __future__ import annotations

import pytest

from psm_console.domain.effects import (
    Acknowledge,
    Audit,
    EndChannel,
    OpenChannel,
    RefuseChannel,
    SaveAttention,
)
from psm_console.domain.events import (
    ChannelAsked,
    ChannelFaulted,
    ChannelFlagged,
    Directed,
    TargetOpened,
)
from psm_console.domain.forwards import ForwardAsked, ForwardRules, TcpDestination
from psm_console.domain.live import LiveSession
from psm_console.domain.names import DirectiveId
from psm_console.domain.policy import Limits
from psm_console.domain.session import Verb

RULES = ForwardRules(("127.0.0.1:5432",))


def opened() -> LiveSession:
    live = LiveSession("ana", Limits(channels=2))
    live.handle(TargetOpened(0.0))
    return live


def ask(channel: int, port: int = 5432, rules: ForwardRules = RULES) -> ChannelAsked:
    forward = ForwardAsked(TcpDestination("127.0.0.1", port), "127.0.0.1:4711", rules)
    return ChannelAsked(1.0, channel, "forward", forward)


def directed(verb: Verb) -> Directed:
    return Directed(1.0, DirectiveId("d"), verb, "sue", text="stop")


def test_a_listed_destination_opens() -> None:
    assert opened().handle(ask(1)) == [OpenChannel(1)]


@pytest.mark.attack
def test_every_gate_refuses_a_forward_and_has_it_audited() -> None:
    paused, full, over = opened(), opened(), opened()
    paused.handle(directed(Verb.PAUSE))
    full.handle(ask(1))
    full.handle(ask(2))
    over.handle(directed(Verb.TERMINATE))
    bare = ChannelAsked(1.0, 3, "forward")
    cases = [
        (paused, ask(3), "paused by sue"),
        (full, ask(3), "2 channels are open"),
        (over, ask(3), "over"),
        (opened(), ask(3, port=5433), "127.0.0.1:5433 is not available"),
        (opened(), ask(3, rules=ForwardRules()), "not available"),
        (opened(), bare, "not available"),
    ]
    for live, asked, why in cases:
        audit, refuse = live.handle(asked)
        assert isinstance(audit, Audit) and audit.action == "channel.refuse"
        assert isinstance(refuse, RefuseChannel) and why in refuse.reason


@pytest.mark.attack
def test_ssh_inside_a_forward_ends_it_and_asks_for_attention() -> None:
    live = opened()
    live.handle(ask(1))

    effects = live.handle(ChannelFaulted(2.0, 1, "SSH inside", "SSH inside a forward"))

    assert effects == [
        Audit("channel.end", "broker", "channel 1: SSH inside"),
        SaveAttention("SSH inside a forward"),
        EndChannel(1, "SSH inside"),
    ]


def test_what_is_flagged_goes_on_audited_and_marked() -> None:
    live = opened()
    live.handle(ask(1))

    effects = live.handle(ChannelFlagged(2.0, 1, "SSH inside"))

    assert effects == [
        Audit("channel.flag", "broker", "channel 1: SSH inside"),
        SaveAttention("SSH inside"),
    ]


def test_a_warning_that_nothing_can_show_says_so() -> None:
    live = opened()
    live.handle(ask(1))
    (told,) = (one for one in live.handle(directed(Verb.WARN)) if isinstance(one, Acknowledge))
    assert "not shown to the operator: only forwards are open" in told.detail
    live.handle(ChannelAsked(1.0, 2, "shell"))
    (told,) = (one for one in live.handle(directed(Verb.WARN)) if isinstance(one, Acknowledge))
    assert told.detail == "given to the operator's terminal"
