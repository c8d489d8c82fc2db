"""Waits for what became of an order, by the store or past it, and says it."""

from __future__ import annotations

from psm_console.domain.session import Directive, Outcome, Verb

from .context import Invocation
from .output import say

CLAIM_S = 1.5
"""How long a broker may leave an order in the store before it is told by the second way."""
SECOND_S = 2.5
"""How long it may take over that: 5 s in all, with what asking costs."""
_SETTLED_BADLY = {Outcome.REFUSED: "was refused", Outcome.FAILED: "failed"}


def confirmed(
    invocation: Invocation, given: Directive, *, claim_s: float | None = None
) -> Directive:
    """Return the order once it is answered, after 5 s, or unclaimed after `claim_s`."""
    from psm_console.operations import wait_all

    return wait_all(invocation.home, [given.id], pending_s=claim_s)[0]


def directly(
    invocation: Invocation, verb: Verb, session_id: str, reason: str, patience_s: float = 5.0
) -> Directive:
    """Order by the control socket of the broker, and return what became of it."""
    from psm_console.operations import Denied, order_directly

    if invocation.visitor is not None:
        raise Denied("the second way is for whoever owns the home; over ssh the store decides")
    return order_directly(invocation.home, verb, session_id, reason, patience_s)


def say_outcome(directive: Directive) -> int:
    """Say what became of an order; 0 when it is confirmed, else 1."""
    print_steps(directive)
    what = f"{directive.verb.value} of {directive.session}"
    if directive.outcome is Outcome.DONE:
        detail = f": {directive.receipt.detail}" if directive.receipt.detail else ""
        say(f"{what} is confirmed{detail}.")
        return 0
    say(f"{what} {said_badly(directive)}")
    return 1


def said_badly(directive: Directive) -> str:
    """Say why an order is not confirmed."""
    if directive.outcome in _SETTLED_BADLY:
        why = directive.receipt.detail or "the broker gave no reason"
        return f"{_SETTLED_BADLY[directive.outcome]}: {why}"
    return "is NOT confirmed: the broker did not answer in time. Look: psm session show"


def print_steps(directive: Directive) -> None:
    """Say each step of a receipt with its milliseconds."""
    for step in directive.receipt.steps:
        when = "-" if step.ms is None else f"{step.ms:.0f} ms"
        mark = "failed" if step.failed else when
        detail = f"  {step.detail}" if step.detail else ""
        say(f"  {step.name:<24} {mark}{detail}")


def pauses_alone(directive: Directive) -> None:
    """Say what it means that nobody holds a pause."""
    say(
        "Nobody holds this pause: consoles show it as unwatched, and it ends the session at its "
        f"maximum. Resume: psm session resume {directive.session}; hold it: pause --hold."
    )
