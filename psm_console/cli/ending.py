"""`psm session terminate --all | --target | --operator`: many sessions, a line each."""

from __future__ import annotations

from collections.abc import Sequence

import click

from psm_console.domain.session import Directive, Outcome, Session

from .confirming import said_badly
from .context import Invocation, now
from .output import say, to_json
from .records import directive_row


def terminate_chosen(
    invocation: Invocation,
    target: str | None,
    operator: str | None,
    reason: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """End all chosen sessions; 0 only when each of them is confirmed."""
    from psm_console.operations import Chosen, Ending, sessions_to_end, terminate_many, wait_all

    chosen = Chosen(target, operator)
    if dry_run:
        with invocation.store() as (store, actor):
            return _say_chosen(sessions_to_end(store, actor, chosen, now()), as_json)
    if reason is None or not yes:
        raise click.UsageError("ending many sessions needs --reason TEXT and --yes; or --dry-run")
    settled: list[Directive] = []
    sessions: dict[str, Session] = {}
    lost: tuple[Session, ...] = ()
    # Twice: what began while the first were ended is ended too.
    for turn in range(2):
        with invocation.store() as (store, actor):
            ending: Ending = terminate_many(
                store, actor, chosen, reason, now(), besides=frozenset(sessions)
            )
        lost = ending.lost
        sessions |= {session.id: session for session, _ in ending.given}
        if turn and ending.given:
            say(f"{len(ending.given)} more began meanwhile, and are ended too.")
        settled += wait_all(invocation.home, [order.id for _, order in ending.given])
    with invocation.store() as (store, actor):
        left = sessions_to_end(store, actor, chosen, now())
    late = [one for one in left if one.id not in sessions and one not in lost]
    _say_settled(settled, sessions, lost, late)
    if as_json:
        print_outcomes(settled, [*lost, *late])
    good = all(one.outcome is Outcome.DONE for one in settled)
    return 0 if good and not lost and not late else 1


def _say_chosen(found: Sequence[Session], as_json: bool) -> int:
    if as_json:
        rows = [{"session": one.id, **_who(one), "state": one.state.value} for one in found]
        click.echo(to_json(rows, indent=2))
    else:
        for one in found:
            say(f"  {one.id}  {one.operator} on {one.account}  {one.state.value}")
    say(f"{len(found)} sessions would be ended; nothing was done.")
    return 0


def _say_settled(
    settled: Sequence[Directive],
    sessions: dict[str, Session],
    lost: Sequence[Session],
    late: Sequence[Session],
) -> None:
    for one in settled:
        session = sessions[one.session]
        took = max((step.ms or 0.0 for step in one.receipt.steps), default=0.0)
        said = f"confirmed, {took:.0f} ms" if one.outcome is Outcome.DONE else said_badly(one)
        say(f"  {session.id}  {session.operator} on {session.account}  {said}")
    for gone in lost:
        say(f"  {gone.id}  {gone.operator} on {gone.account}  is lost: its broker does not answer")
    for new in late:
        say(f"  {new.id}  {new.operator} on {new.account}  NOT ended: it began meanwhile")
    good = sum(one.outcome is Outcome.DONE for one in settled)
    say(f"{good} of {len(settled) + len(lost) + len(late)} sessions are confirmed as ended.")


def print_outcomes(settled: Sequence[Directive], others: Sequence[Session] = ()) -> None:
    """Print what became of each session as JSON."""
    rows = [directive_row(one) | {"confirmed": one.outcome is Outcome.DONE} for one in settled]
    rows += [{"session": one.id, "outcome": one.state.value, "confirmed": False} for one in others]
    click.echo(to_json(rows, indent=2))


def _who(session: Session) -> dict[str, object]:
    return {"operator": session.operator, "account": str(session.account)}
