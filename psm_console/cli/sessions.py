"""`psm session`: list, look, watch, and give orders that are acknowledged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime

import click

from psm_console.domain.inventory import Identity
from psm_console.domain.session import Directive, Outcome
from psm_console.store import Store

from .context import Invocation, chosen_format, filters, listing, now
from .output import Column, age, field, print_listing, print_object, say, size
from .records import directive_row, session_row

_STATES = {
    "connecting": "◌",
    "active": "●",
    "paused": "Ⅱ",
    "ending": "◍",
    "ended": "○",
    "lost": "✕",
}
_SETTLED_BADLY = {Outcome.REFUSED: "was refused", Outcome.FAILED: "failed"}
reason_option = click.option("--reason", metavar="TEXT", help="Why; it is kept, and shown.")


@click.group()
def session() -> None:
    """Live and past sessions: list, watch, pause, resume, warn, terminate."""


def _age(row: Mapping[str, object]) -> str:
    return age(datetime.fromisoformat(str(row["started_at"])), now())


_COLUMNS = (
    field("id"),
    Column("state", lambda row: f"{_STATES[str(row['state'])]} {row['state']}"),
    field("operator"),
    Column("account", lambda row: f"{row['account']}@{row['target']}"),
    Column("age", _age),
    Column("out", lambda row: size(row["output_bytes"])),
    field("watchers"),
    field("attention", wide=True),
    field("client", wide=True),
    field("ended_at", wide=True),
    field("end_reason", wide=True),
    Column("last line", lambda row: str(row["last_line"])),
)


@session.command("ls")
@listing
@filters
@click.option("--all", "everything", is_flag=True, help="Sessions that are over, too.")
@click.pass_obj
def ls(
    invocation: Invocation,
    chosen: str,
    as_json: bool,
    everything: bool,
    operator: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """List sessions, oldest first: the live ones, or all."""
    from psm_console.operations import list_sessions

    with invocation.store() as (store, actor):
        found = list_sessions(
            store,
            actor,
            now(),
            live_only=not everything,
            operator=operator,
            target=target,
            since=since,
            until=until,
        )
    if not found and not everything and not as_json and chosen == "table":
        say("No live sessions. `psm session ls --all` shows those that are over.")
    rows = [session_row(one) for one in found]
    print_listing(rows, _COLUMNS, "id", chosen_format(chosen, as_json))


@session.command("show")
@click.argument("session_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def show(invocation: Invocation, session_id: str, as_json: bool) -> None:
    """Show all that is known of a session, and the orders given about it."""
    from psm_console.operations import list_directives, show_session

    with invocation.store() as (store, actor):
        found = show_session(store, actor, session_id, now())
        orders = list_directives(store, actor, found.id, now())
    row = session_row(found) | {"directives": [directive_row(order) for order in orders]}
    print_object(row, as_json)


@session.command("shadow")
@click.argument("session_id", metavar="ID")
@click.option("--channel", type=click.IntRange(min=1), help="Which channel; else the first PTY.")
@click.pass_obj
def shadow(invocation: Invocation, session_id: str, channel: int | None) -> int:
    """Watch a session's screen as it changes; q leaves. Without a terminal: print it once."""
    from .shadow import watch

    return watch(invocation, session_id, channel)


@session.command("pause")
@click.argument("session_id", metavar="ID")
@reason_option
@click.pass_obj
def pause(invocation: Invocation, session_id: str, reason: str | None) -> int:
    """Throw away what the operator types and hold output back, until somebody resumes."""
    from psm_console.operations import pause as order

    return _give(
        invocation, lambda store, actor: order(store, actor, session_id, reason or "", now())
    )


@session.command("resume")
@click.argument("session_id", metavar="ID")
@reason_option
@click.pass_obj
def resume(invocation: Invocation, session_id: str, reason: str | None) -> int:
    """Deliver what was held back and let the operator type again."""
    from psm_console.operations import resume as order

    return _give(
        invocation, lambda store, actor: order(store, actor, session_id, reason or "", now())
    )


@session.command("warn")
@click.argument("session_id", metavar="ID")
@click.argument("text")
@reason_option
@click.pass_obj
def warn(invocation: Invocation, session_id: str, text: str, reason: str | None) -> int:
    """Show TEXT in the operator's terminal."""
    from psm_console.operations import warn as order

    return _give(
        invocation,
        lambda store, actor: order(store, actor, session_id, text, now(), reason=reason or ""),
    )


@session.command("terminate")
@click.argument("session_id", metavar="ID")
@reason_option
@click.pass_obj
def terminate(invocation: Invocation, session_id: str, reason: str | None) -> int:
    """End a session on both sides; the operator reads the reason.

    Waits up to 5 s for the acknowledgement: exit status 0 is confirmed, 1 is not.
    """
    from psm_console.operations import terminate as order

    if reason is None:
        reason = _ask_reason()
    return _give(
        invocation, lambda store, actor: order(store, actor, session_id, reason or "", now())
    )


def _ask_reason() -> str:
    """Ask at a terminal; a script must say it with --reason."""
    if not sys.stdin.isatty():
        raise click.UsageError("terminate needs --reason TEXT; the operator reads it")
    return str(click.prompt("Reason, which the operator reads", err=True))


def _give(invocation: Invocation, order: Callable[[Store, Identity], Directive]) -> int:
    """Give an order, wait for its receipt and print it; 0 when it is confirmed."""
    from psm_console.operations import wait

    with invocation.store() as (store, actor):
        given = order(store, actor)
    directive = wait(invocation.home, given.id)
    for step in directive.receipt.steps:
        when = "-" if step.ms is None else f"{step.ms:.0f} ms"
        mark = "failed" if step.failed else when
        detail = f"  {step.detail}" if step.detail else ""
        say(f"  {step.name:<24} {mark}{detail}")
    what = f"{directive.verb.value} of {directive.session}"
    if directive.outcome is Outcome.DONE:
        detail = f": {directive.receipt.detail}" if directive.receipt.detail else ""
        say(f"{what} is confirmed{detail}.")
        return 0
    if directive.outcome in _SETTLED_BADLY:
        why = directive.receipt.detail or "the broker gave no reason"
        say(f"{what} {_SETTLED_BADLY[directive.outcome]}: {why}")
        return 1
    say(f"{what} is NOT confirmed: the broker did not answer in time. Look: psm session show")
    return 1
