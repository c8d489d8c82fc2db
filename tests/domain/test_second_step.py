"""Who is asked what, and which answers will do."""

from __future__ import annotations

import re
import time

import pytest

from psm_console.domain.inventory import Group, Identity
from psm_console.domain.policy import Policy
from psm_console.domain.second_step import (
    Step,
    pattern_fault,
    read_reason,
    read_ticket,
    steps_for,
)

ANA = Identity("ana", frozenset())
TOTP, TICKET, REASON = (Step.TOTP,), (Step.TICKET,), (Step.REASON,)


@pytest.mark.parametrize(
    ("own", "groups", "policy", "asked"),
    [
        (None, [], (), ()),
        (None, [], TOTP, TOTP),
        (None, [None], TOTP, TOTP),
        (None, [TICKET], TOTP, TICKET),
        (None, [TICKET, REASON, None], TOTP, TICKET + REASON),
        (None, [()], TOTP, ()),
        ((), [TICKET], TOTP, ()),
        (TOTP + REASON + TICKET, [], (), TICKET + REASON + TOTP),
    ],
)
def test_the_identitys_own_word_goes_before_its_groups_and_theirs_before_the_policy(
    own: tuple[Step, ...] | None,
    groups: list[tuple[Step, ...] | None],
    policy: tuple[Step, ...],
    asked: tuple[Step, ...],
) -> None:
    identity = Identity("ana", frozenset(), second_step=own)
    found = [Group(f"g{n}", (), steps) for n, steps in enumerate(groups)]

    assert steps_for(identity, found, policy, console=False) == asked


def test_who_comes_for_the_console_is_asked_for_a_code_only() -> None:
    assert steps_for(ANA, [], tuple(Step), console=True) == TOTP


def test_tickets_have_the_shape_that_policy_says() -> None:
    pattern = Policy().login.ticket_pattern

    assert read_ticket(" CHG-123 ", pattern) == "CHG-123"
    for odd in ("", "CHG", "CHG-1\x1b[0m", "CHG-" + "1" * 100, "CHG-1; rm", "CHG-1\nCHG-2"):
        assert read_ticket(odd, pattern) is None, odd


def test_a_reason_is_one_visible_line() -> None:
    assert read_reason("  disk\n full\x1b[2J ") == "disk full\\x1b[2J"
    assert read_reason(" \t\n") is None
    assert len(read_reason("x" * 100_000) or "") == 500


@pytest.mark.attack
@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*", "(a|aa){2,}x", r"(.*)\1", "(?:a+)+", "a*a*a*a*a*", "(", "x" * 300, "(a)?"],
)
def test_a_pattern_that_could_stop_the_broker_is_refused(pattern: str) -> None:
    assert pattern_fault(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [r"[A-Z]{2,10}-\d{1,8}", r"(CHG|INC)[0-9]{7,10}", r"[)(+*?{]x", r"\(a\+\)\+", r"[]+*{]+", ".+"],
)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert pattern_fault(pattern) is None


@pytest.mark.attack
def test_the_worst_pattern_that_is_taken_is_quick_on_the_longest_ticket() -> None:
    pattern = "a*a*a*a*b"
    assert pattern_fault(pattern) is None

    start = time.process_time()
    assert read_ticket("a" * 64, pattern) is None
    assert time.process_time() - start < 2
    assert re.fullmatch(pattern, "aab")
