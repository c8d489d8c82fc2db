"""`psm session`: list, look, watch, and give orders that are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click

from psm_console.domain.blind_spots import unseen

from .context import Invocation, chosen_format, filters, listing, now
from .ledger import print_channels, print_orders
from .orders import pause, resume, terminate, warn
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
    row = session_row(found)
    given = [directive_row(order) for order in orders]
    if as_json:
        print_object(row | {"blind_spots": unseen(found.channels), "directives": given}, True)
        return
    print_object({name: value for name, value in row.items() if name != "channels"}, False)
    print_channels(found.channels)
    print_orders(given)


@session.command("shadow")
@click.argument("session_id", metavar="ID")
@click.option("--channel", type=click.IntRange(min=1), help="Which channel; else the first PTY.")
@click.pass_obj
def shadow(invocation: Invocation, session_id: str, channel: int | None) -> int:
    """Watch a session's screen as it changes; q leaves. Without a terminal: print it once."""
    from .shadow import watch

    return watch(invocation, session_id, channel)


for order in (pause, resume, warn, terminate):
    session.add_command(order)
