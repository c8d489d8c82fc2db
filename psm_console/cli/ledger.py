"""A session's channels as a table: what was recorded of each and how, and what nobody can see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import click

from psm_console.domain.blind_spots import Coverage, unseen
from psm_console.domain.session import Channel

from .output import Column, Format, field, print_listing, size
from .records import Row, channel_row

_SIGNS = {Coverage.WHOLE: "✔", Coverage.PART: "◑", Coverage.DIGEST: "○"}


def print_channels(channels: Sequence[Channel]) -> None:
    """Print a table of `channels`, and under it the sentence on their blind spots."""
    rows = [channel_row(channel) for channel in channels]
    columns = [column for column in _COLUMNS if column.wide or _any(column, rows)]
    click.echo("\nchannels:")
    if rows:
        print_listing(rows, columns, "number", Format.WIDE)
    click.echo(unseen(channels))


def print_orders(rows: Sequence[Row]) -> None:
    """Print a table of the orders given about a session, with their receipts."""
    if rows:
        click.echo("\norders:")
        print_listing(rows, _ORDERS, "id", Format.WIDE)


def _any(column: Column, rows: Sequence[Row]) -> bool:
    """Whether a column that may be left out says anything."""
    return any(column.text(row) != "-" for row in rows)


def _of_day(row: Mapping[str, object], name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        return "open" if name == "closed_at" else "-"
    return datetime.fromisoformat(value).astimezone(UTC).strftime("%H:%M:%SZ")


def _count(name: str, spelled: Callable[[object], str]) -> Callable[[Mapping[str, object]], str]:
    """Return how a count of the ledger is shown: a dash for none."""

    def text(row: Mapping[str, object]) -> str:
        ledger = row["ledger"]
        count = ledger.get(name) if isinstance(ledger, Mapping) else None
        return spelled(count) if count else "-"

    return text


def _coverage(row: Mapping[str, object]) -> str:
    return f"{_SIGNS[Coverage(str(row['coverage']))]} {row['coverage']}"


def _receipt(row: Mapping[str, object]) -> str:
    steps = row["steps"]
    assert isinstance(steps, list)
    told = [f"{step['name']} {'failed' if step['failed'] else _ms(step['ms'])}" for step in steps]
    return ", ".join([*told, *([str(row["detail"])] if row["detail"] else [])]) or "-"


def _ms(value: float | None) -> str:
    return "not yet" if value is None else f"{value:.0f} ms"


_COLUMNS = (
    Column("#", lambda row: str(row["number"]), wide=True),
    Column("kind", lambda row: f"{row['kind']}{', terminal' if row['pty'] else ''}", wide=True),
    Column("opened", lambda row: _of_day(row, "opened_at"), wide=True),
    Column("closed", lambda row: _of_day(row, "closed_at"), wide=True),
    field("exit"),
    Column("out", _count("output_bytes", size), wide=True),
    Column("in", _count("input_bytes", size), wide=True),
    Column("to be seen", _coverage, wide=True),
    Column("recorded", lambda row: str(row["recorded"]), wide=True),
    Column("not text", _count("raw_bytes", size)),
    Column("only sha-256", _count("digest_bytes", size)),
    Column("thrown away", _count("discarded_bytes", size)),
    Column("operations", _count("operations", str)),
    field("command"),
)
"""Those that are not `wide` are left out when they would be empty."""
_ORDERS = (
    Column("at", lambda row: _of_day(row, "requested_at")),
    field("verb"),
    Column("by", lambda row: str(row["actor"])),
    field("outcome"),
    Column("said", lambda row: str(row["text"] or row["reason"] or "-")),
    Column("receipt", _receipt),
)
