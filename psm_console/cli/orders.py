"""`psm session pause|resume|warn|terminate`: orders, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from psm_console.domain.inventory import Identity
from psm_console.domain.session import Directive, Session, Verb
from psm_console.store import Store, StoreError

from .confirming import (
    CLAIM_S,
    SECOND_S,
    confirmed,
    directly,
    pauses_alone,
    print_steps,
    say_outcome,
)
from .context import Invocation, now
from .ending import terminate_chosen
from .output import say

BUSY_S = 1.0
"""How long an order that stops somebody waits for a held store before it goes past it."""
Order = Callable[[Store, Identity], Directive]

reason_option = click.option("--reason", metavar="TEXT", help="Why; it is kept, and shown.")
direct_option = click.option(
    "--direct", is_flag=True, help="Past the store, by the broker's control socket."
)


@click.command("pause")
@click.argument("session_id", metavar="ID")
@reason_option
@click.option("--hold", is_flag=True, help="Stay, and watch over the pause until ^C.")
@direct_option
@click.pass_obj
def pause(
    invocation: Invocation, session_id: str, reason: str | None, hold: bool, direct: bool
) -> int:
    """Throw away what the operator types and hold output back, until somebody resumes.

    Without --hold nobody watches over the pause: consoles show it as unwatched. With it, a pause
    that nobody holds any more is taken over.
    """
    from psm_console.operations import new_hold
    from psm_console.operations import pause as order

    if hold and direct:
        raise click.UsageError("--hold needs the store, and --direct goes past it")
    token = new_hold() if hold else ""
    given = _stop(
        invocation,
        Verb.PAUSE,
        session_id,
        reason or "",
        lambda store, actor: order(store, actor, session_id, reason or "", now(), hold=token),
        direct=direct,
    )
    status = say_outcome(given)
    if status or not hold:
        if not status:
            pauses_alone(given)
        return status
    from .holding import hold_on

    return hold_on(invocation, given)


@click.command("resume")
@click.argument("session_id", metavar="ID")
@reason_option
@click.option(
    "--close-held", is_flag=True, help="Close channels whose input waits; do not pass it on."
)
@click.pass_obj
def resume(
    invocation: Invocation, session_id: str, reason: str | None, close_held: bool
) -> int | None:
    """Deliver what was held back and let the operator type again.

    Says first which channels without a terminal have input that waits: it goes to the target now,
    unless --close-held closes them.
    """
    from psm_console.operations import resume as order
    from psm_console.operations import show_session

    with invocation.store() as (store, actor):
        found = show_session(store, actor, session_id, now())
        _say_held(found, close_held)
        if found.held and not close_held and reason is None and sys.stdin.isatty():
            choice = click.Choice(["pass", "close", "leave"])
            wanted = click.prompt("Pass it on, close the channels, or leave it", type=choice)
            if wanted == "leave":
                say("Nothing was ordered; the session stays paused.")
                return 1
            close_held = wanted == "close"
        given = order(store, actor, found.id, reason or "", now(), close_held=close_held)
    return say_outcome(confirmed(invocation, given))


def _say_held(session: Session, close_held: bool) -> None:
    commands = {channel.number: channel.command or channel.kind for channel in session.channels}
    for held in session.held:
        what = f"channel {held.channel} ({commands.get(held.channel, '?')})"
        then = (
            "is closed, and this is thrown away" if close_held else "passes this on to the target"
        )
        say(f"  {what} has {held.size} bytes of input that wait; a resume {then}")


@click.command("warn")
@click.argument("session_id", metavar="ID")
@click.argument("text")
@reason_option
@click.pass_obj
def warn(invocation: Invocation, session_id: str, text: str, reason: str | None) -> int:
    """Show TEXT in the operator's terminal."""
    from psm_console.operations import warn as order

    with invocation.store() as (store, actor):
        given = order(store, actor, session_id, text, now(), reason=reason or "")
    return say_outcome(confirmed(invocation, given))


@click.command("terminate")
@click.argument("session_id", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="All live sessions.")
@click.option("--target", metavar="NAME", help="All on this target or account@target.")
@click.option("--operator", metavar="NAME", help="All of this operator.")
@click.option("--dry-run", is_flag=True, help="Only say which sessions, and how many.")
@click.option("--yes", is_flag=True, help="Yes, end all of them.")
@reason_option
@direct_option
@click.option("--json", "as_json", is_flag=True, help="What became of it, as JSON.")
@click.pass_obj
def terminate(
    invocation: Invocation,
    session_id: str | None,
    everything: bool,
    target: str | None,
    operator: str | None,
    dry_run: bool,
    yes: bool,
    reason: str | None,
    direct: bool,
    as_json: bool,
) -> int:
    """End a session, or many, on both sides; the operators read the reason.

    Waits up to 5 s for the acknowledgement: exit status 0 is confirmed, 1 is not. Where the store
    does not take the order, it goes by the broker's control socket.
    """
    many = everything or target is not None or operator is not None
    if many == (session_id is not None):
        raise click.UsageError("name one session, or choose with --all, --target or --operator")
    if many:
        if direct:
            raise click.UsageError("--direct ends one session; name it")
        return terminate_chosen(
            invocation, target, operator, reason, dry_run=dry_run, yes=yes, as_json=as_json
        )
    if dry_run or yes:
        raise click.UsageError("--dry-run and --yes go with --all, --target or --operator")
    assert session_id is not None
    return _terminate_one(invocation, session_id, reason, direct, as_json)


def _terminate_one(
    invocation: Invocation, session_id: str, reason: str | None, direct: bool, as_json: bool
) -> int:
    from psm_console.operations import terminate as order

    words = _ask_reason() if reason is None else reason
    given = _stop(
        invocation,
        Verb.TERMINATE,
        session_id,
        words,
        lambda store, actor: order(store, actor, session_id, words, now()),
        direct=direct,
    )
    if as_json:
        from .ending import print_outcomes

        print_outcomes([given])
    return say_outcome(given)


def _ask_reason() -> str:
    """Ask at a terminal; a script must say it with --reason."""
    if not sys.stdin.isatty():
        raise click.UsageError("terminate needs --reason TEXT; the operator reads it")
    return str(click.prompt("Reason, which the operator reads", err=True))


def _stop(
    invocation: Invocation,
    verb: Verb,
    session_id: str,
    reason: str,
    order: Order,
    *,
    direct: bool,
) -> Directive:
    """Give an order that stops somebody, by the store or past it; return what became of it."""
    if direct:
        return directly(invocation, verb, session_id, reason)
    from psm_console.operations import Failed, PsmError, Unreachable

    # A visitor has no second way: their roles stand in the store.
    alone = invocation.visitor is None
    try:
        with invocation.store(BUSY_S) if alone else invocation.store() as (store, actor):
            given = order(store, actor)
    except (PsmError, StoreError) as error:
        store_fault = isinstance(error, StoreError) or (
            isinstance(error, Failed) and isinstance(error.__cause__, StoreError)
        )
        if not alone or not (store_fault or isinstance(error, Unreachable)):
            raise
        say(f"{error}; going past the store")
        try:
            return directly(invocation, verb, session_id, reason)
        except Unreachable as second:
            raise error from second
    try:
        settled = confirmed(invocation, given, claim_s=CLAIM_S if alone else None)
    except PsmError as error:
        if not alone:
            raise
        say(str(error))
        settled = given
    if alone and not _settled(settled):
        print_steps(settled)
        say("the broker has not answered by the store; going past it")
        try:
            return directly(invocation, verb, given.session, reason, SECOND_S)
        except PsmError as second:
            say(str(second))
    return settled


def _settled(directive: Directive) -> bool:
    from psm_console.operations.receipts import SETTLED

    return directive.outcome in SETTLED
