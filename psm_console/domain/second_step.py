"""What is asked of an operator after the key: a one-time code, a ticket, a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never

from .text import visible

LONGEST_TICKET = 64
LONGEST_REASON = 500
"""Characters."""
_REPEATS = 4
_GROUP_REPEATED = re.compile(r"\)(?:[*+?]|\{)")
_REPEAT = re.compile(r"[*+?]|\{")


class Step(StrEnum):
    """One thing that is asked, in the order in which the answers are judged.

    A code is used up by being right, so it comes last: a mistyped ticket costs none.
    """

    TICKET = "ticket"
    REASON = "reason"
    TOTP = "totp"


@dataclass(frozen=True, slots=True)
class Question:
    """What a client is asked; `echo` when the answer may be seen as it is typed."""

    step: Step
    prompt: str
    echo: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """What the second step brought; `steps` are those that were passed."""

    steps: tuple[Step, ...] = ()
    ticket: str | None = None
    reason: str | None = None


class _HasSteps(Protocol):
    @property
    def second_step(self) -> tuple[Step, ...] | None: ...


def steps_for(
    identity: _HasSteps, groups: Iterable[_HasSteps], policy: Sequence[Step], *, console: bool
) -> tuple[Step, ...]:
    """Return what is asked: the identity's own word, else its groups' together, else the policy.

    `console`: the login names no account, so there is no access that a ticket or a reason is for.
    """
    wanted = identity.second_step
    if wanted is None:
        said = [group.second_step for group in groups if group.second_step is not None]
        wanted = tuple(step for one in said for step in one) if said else tuple(policy)
    return tuple(step for step in Step if step in wanted and (step is Step.TOTP or not console))


def question(step: Step) -> Question:
    """Return what a client is asked for `step`."""
    match step:
        case Step.TICKET:
            return Question(step, "Ticket: ", True)
        case Step.REASON:
            return Question(step, "Reason: ", True)
        case Step.TOTP:
            return Question(step, "One-time code: ", False)
        case _:
            assert_never(step)


def read_ticket(text: str, pattern: str) -> str | None:
    """Return the ticket that `text` names, or None when it has not the shape of one."""
    ticket = text.strip()
    if not ticket or len(ticket) > LONGEST_TICKET or visible(ticket) != ticket:
        return None
    return ticket if re.fullmatch(pattern, ticket) else None


def read_reason(text: str) -> str | None:
    """Return the reason as one visible line, or None when there is none."""
    reason = visible(" ".join(text[: 4 * LONGEST_REASON].split()), LONGEST_REASON)
    return reason or None


def pattern_fault(pattern: str) -> str | None:
    """Return why `pattern` can not be a ticket's shape, or None.

    It is held against what strangers type: one that backtracks without end would stop the broker.
    """
    if len(pattern) > 200:
        return "expected a regular expression of at most 200 characters"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return "expected a regular expression (Python's re)"
    bare = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "_", pattern)
    if _GROUP_REPEATED.search(bare) or "(?" in bare or re.search(r"\\[1-9]", pattern):
        return "expected a simple regular expression: no repeated group, (?…) or back-reference"
    if len(_REPEAT.findall(bare)) > _REPEATS:
        return f"expected a simple regular expression: at most {_REPEATS} repetitions"
    return None
