"""What is known of a session or an order, as labelled lines of Content."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from datetime import datetime

from textual.content import Content

from psm_console.domain.session import (
    Directive,
    Outcome,
    Session,
    SessionState,
    Step,
    Verb,
)
from psm_console.domain.text import visible

from . import figures, glyphs
from .notice import Notice

Fact = tuple[str, str, str]
"""Label, value, and the token of the value's colour."""

LABEL = 10
"""Cells of the labels' column."""
RUNS_ON = "the program on the target runs on"
_DONE = {
    Verb.PAUSE: "paused",
    Verb.RESUME: "resumed",
    Verb.WARN: "warned",
    Verb.TERMINATE: "terminated",
}


def state_line(session: Session) -> str:
    """Return sign and sentence for the state a session is in."""
    sign = glyphs.STATES[session.state]
    match session.state:
        case SessionState.PAUSED:
            by = f" by {visible(session.paused_by)}" if session.paused_by else ""
            return f"{sign} PAUSED{by} {glyphs.SEPARATOR} {RUNS_ON}"
        case SessionState.LOST:
            return f"{sign} LOST {glyphs.SEPARATOR} its broker died; this is what was recorded"
        case SessionState.ENDED:
            reason = (
                f" {glyphs.SEPARATOR} {visible(session.end_reason)}" if session.end_reason else ""
            )
            by = f" by {visible(session.ended_by)}" if session.ended_by else ""
            return f"{sign} ENDED{by}{reason}"
        case SessionState.ENDING:
            return f"{sign} ENDING"
        case SessionState.CONNECTING:
            return f"{sign} CONNECTING"
        case SessionState.ACTIVE:
            return f"{sign} LIVE"


def session_facts(session: Session, now: datetime) -> list[Fact]:
    """Return who, where, why and since when, the most telling first; empty ones are left out."""
    rows = [
        ("Look", session.attention or "", "attention"),
        ("Operator", session.operator, "text-strong"),
        ("Account", str(session.account), "priv-account"),
        ("Reason", session.reason or "", "foreground"),
        ("Ticket", session.ticket or "", "foreground"),
        ("Request", session.request or "", "foreground"),
        ("From", session.client, "foreground"),
        ("Since", figures.day(session.started_at), "foreground"),
        ("Watching", ", ".join(session.watchers), "key"),
        ("Paused", _paused(session, now), "state-paused"),
        ("Traffic", traffic(session), "foreground"),
        ("Session", session.id, "text-quiet"),
    ]
    return [(label, visible(value, 300), token) for label, value, token in rows if value]


def _paused(session: Session, now: datetime) -> str:
    if session.state is not SessionState.PAUSED or session.paused_at is None:
        return ""
    spent = figures.age((now - session.paused_at).total_seconds())
    return f"by {session.paused_by or 'somebody'} for {spent}"


def traffic(session: Session) -> str:
    """Return how many bytes went each way."""
    return f"{figures.size(session.output_bytes)} out, {figures.size(session.input_bytes)} in"


def fact_lines(facts: Iterable[Fact], width: int) -> Content:
    """Return facts as lines of at most `width` cells; long values hang under their start."""
    lines = []
    for label, value, token in facts:
        pieces = textwrap.wrap(value, max(width - LABEL, 8)) or [""]
        head = (f"{label:<{LABEL}}", "$text-quiet")
        lines.append(Content.assemble(head, Content.styled(pieces[0], f"${token}")))
        lines += [Content.styled(" " * LABEL + piece, f"${token}") for piece in pieces[1:]]
    return Content("\n").join(lines)


class FactPanel(Notice):
    """Facts in a box, wrapped to its width."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = Content(title)
        self._facts: tuple[Fact, ...] = ()

    def tell(self, facts: Iterable[Fact]) -> None:
        """Show these."""
        facts = tuple(facts)
        if facts != self._facts:
            self._facts = facts
            self._write()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._write()

    def _write(self) -> None:
        self.say(fact_lines(self._facts, self.size.width))


def order_title(directive: Directive) -> tuple[str, str]:
    """Return what became of an order, in words, and the token of its colour."""
    done = _DONE[directive.verb]
    match directive.outcome:
        case Outcome.DONE:
            failed = [step for step in directive.receipt.steps if step.failed]
            if failed:
                return (
                    f"{glyphs.BAD} {done}, but {visible(failed[0].name)} failed",
                    "outcome-failed",
                )
            return f"{glyphs.GOOD} {done}", "outcome-done"
        case Outcome.REFUSED:
            return f"{glyphs.BAD} {directive.verb} refused", "outcome-failed"
        case Outcome.FAILED:
            return f"{glyphs.BAD} {directive.verb} failed", "outcome-failed"
        case Outcome.PENDING | Outcome.CLAIMED:
            return f"{glyphs.HOLLOW} {directive.verb} not confirmed", "outcome-pending"


def order_lines(directive: Directive) -> Content:
    """Return an order's outcome and its receipt, a step a line with its milliseconds."""
    title, token = order_title(directive)
    by = f"  {figures.clock(directive.requested_at)} {visible(directive.actor)}"
    lines = [Content.assemble((title, f"bold ${token}"), (by, "$text-quiet"))]
    said = directive.text or directive.reason
    if said:
        lines.append(Content.styled(f"  {visible(said, 200)}", "$foreground"))
    lines += [_step_line(step) for step in directive.receipt.steps]
    if directive.receipt.detail:
        lines.append(Content.styled(f"  {visible(directive.receipt.detail, 200)}", "$text-quiet"))
    return Content("\n").join(lines)


def _step_line(step: Step) -> Content:
    time = figures.milliseconds(step.ms) if step.ms is not None else "not yet"
    token = "outcome-failed" if step.failed else "foreground"
    detail = f" {visible(step.detail, 120)}" if step.detail else ""
    failed = f" {glyphs.BAD} failed" if step.failed else ""
    return Content.assemble(
        (f"{time:>9}  ", "$text-quiet"), (f"{visible(step.name, 40)}{failed}{detail}", f"${token}")
    )


def outcome_sentence(directive: Directive) -> str:
    """Return the one line for a toast."""
    title, _ = order_title(directive)
    took = [step.ms for step in directive.receipt.steps if step.ms is not None]
    if directive.outcome is Outcome.DONE and took:
        return f"{title} in {figures.milliseconds(max(took))}"
    if directive.outcome in (Outcome.PENDING, Outcome.CLAIMED):
        return f"{title}: no acknowledgement within 5 s; it may still be carried out"
    detail = visible(directive.receipt.detail, 160)
    return f"{title}: {detail}" if detail else title
