"""What listings print: a table for people, JSON for programs; nothing a terminal would obey."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import click

from psm_console.domain.text import visible

_CELL = 60
_GAP = "  "


class Format(StrEnum):
    """How a listing is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `wide` ones only stand in `-o wide`."""

    title: str
    text: Callable[[Mapping[str, object]], str]
    wide: bool = False


def field(name: str, *, wide: bool = False) -> Column:
    """A column that shows the field `name` as it is."""
    return Column(name, lambda row: _plain(row.get(name)), wide)


def _plain(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(part) for part in value) or "-"
    return str(value)


def print_listing(
    rows: Sequence[Mapping[str, object]], columns: Sequence[Column], name: str, chosen: Format
) -> None:
    """Print `rows` on stdout; `name` is the field that `-o name` prints."""
    match chosen:
        case Format.JSON:
            click.echo(to_json(list(rows), indent=2))
        case Format.JSONL:
            for row in rows:
                click.echo(to_json(row))
        case Format.NAME:
            for row in rows:
                click.echo(visible(_plain(row[name])))
        case Format.TABLE | Format.WIDE:
            _print_table(rows, columns, chosen is Format.WIDE)


def print_object(row: Mapping[str, object], as_json: bool) -> None:
    """Print one thing: its fields a line each, or as JSON."""
    if as_json:
        click.echo(to_json(row, indent=2))
        return
    width = max(map(len, row), default=0)
    for key, value in row.items():
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
            click.echo(f"{key}:")
            for part in value:
                click.echo("    " + visible(", ".join(_pairs(part))))
        elif isinstance(value, Mapping):
            click.echo(f"{key:<{width}}  {visible(', '.join(_pairs(value)) or '-')}")
        else:
            click.echo(f"{key:<{width}}  {visible(_plain(value))}")


def _pairs(row: Mapping[str, object]) -> list[str]:
    return [f"{key} {_plain(value)}" for key, value in row.items() if value not in (None, "")]


def _print_table(
    rows: Sequence[Mapping[str, object]], columns: Sequence[Column], wide: bool
) -> None:
    shown = [column for column in columns if wide or not column.wide]
    limit = None if wide else _CELL
    lines = [[column.title.upper() for column in shown]]
    lines += [[visible(column.text(row), limit) for column in shown] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(shown))]
    for line in lines:
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        click.echo(_GAP.join(padded).rstrip())


def to_json(value: object, indent: int | None = None) -> str:
    """Return JSON in ASCII; DEL is the one control character that json leaves as it is."""
    return json.dumps(value, indent=indent, default=_json_value).replace("\x7f", "\\u007f")


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


def instant(value: datetime | None) -> str | None:
    """Return an instant as ISO 8601 in UTC with a Z, in milliseconds."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(since: datetime, now: datetime) -> str:
    """Return how long ago `since` was, in one or two units."""
    return span((now - since).total_seconds())


def span(seconds: float | None) -> str:
    """Return a duration in one or two units, like `4m07s`."""
    if seconds is None:
        return "-"
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def size(count: object) -> str:
    """Return a number of bytes with a unit."""
    if not isinstance(count, (int, float)):
        return "-"
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def say(text: str) -> None:
    """Tell the person at the terminal something that is not data."""
    click.echo(visible(text.rstrip("\n")) if "\n" not in text else _lines(text), err=True)


def _lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.splitlines())


def is_terminal() -> bool:
    """Whether a person can see what is drawn and their keys can be read."""
    return sys.stdin.isatty() and sys.stdout.isatty()
