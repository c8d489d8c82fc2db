"""`psm audit`: who did what, and whether that was tampered with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click

from .context import Instant, Invocation, chosen_format, listing, now
from .output import Column, field, print_listing, print_object, say
from .records import audit_row

_INTEGRITY = 6


@click.group()
def audit() -> None:
    """The audit log: list and verify."""


def _detail(row: Mapping[str, object]) -> str:
    detail = row["detail"]
    if isinstance(detail, Mapping):
        return ", ".join(f"{key} {value}" for key, value in detail.items())
    return str(detail)


_COLUMNS = (
    field("id"),
    field("at"),
    field("actor"),
    field("on_behalf_of", wide=True),
    field("action"),
    field("session"),
    Column("detail", _detail),
    field("hash", wide=True),
)


@audit.command("ls")
@listing
@click.option("--limit", type=click.IntRange(min=1), help="Only this many, the newest.")
@click.option("--since", type=Instant(), help="Only entries from this time on.")
@click.option("--session", metavar="ID", help="Only entries about this session.")
@click.option("--action", metavar="NOUN.VERB", help="Only entries of this action.")
@click.option("--actor", metavar="NAME", help="Only what this identity did.")
@click.pass_obj
def ls(
    invocation: Invocation,
    chosen: str,
    as_json: bool,
    limit: int | None,
    since: datetime | None,
    session: str | None,
    action: str | None,
    actor: str | None,
) -> None:
    """List entries, oldest first."""
    from psm_console.operations import list_audit

    with invocation.store() as (store, me):
        found = list_audit(
            store,
            me,
            now(),
            limit=limit,
            since=since,
            session=session,
            action=action,
            by=actor,
        )
    rows = [audit_row(entry) for entry in found]
    print_listing(rows, _COLUMNS, "id", chosen_format(chosen, as_json))


@audit.command("verify")
@click.option("--head", metavar="ID:HASH", help="A head noted earlier; shows a tail that was cut.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def verify(invocation: Invocation, head: str | None, as_json: bool) -> int:
    """Check that no entry was changed, removed, added or moved; 0 only when all is well."""
    from psm_console.operations import verify_audit

    with invocation.store() as (store, actor):
        verdict = verify_audit(store, actor, now(), known_head=head)
    row: dict[str, object] = {
        "verdict": "OK" if verdict.ok else "CORRUPT",
        "entries": verdict.count,
        "head": str(verdict.head),
        "first_bad": verdict.first_bad,
        "detail": verdict.detail,
    }
    print_object(row, as_json)
    if not verdict.ok:
        say(f"The audit log breaks at entry {verdict.first_bad}: {verdict.detail}")
    return 0 if verdict.ok else _INTEGRITY
