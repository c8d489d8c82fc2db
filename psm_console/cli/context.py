"""What every command gets: the home, how to print, and the door that errors leave by."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click

from psm_console.domain.inventory import Identity
from psm_console.domain.text import visible
from psm_console.operations.errors import Denied
from psm_console.store import BUSY_S, Home, Store

from .output import Format

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of `psm`: which home, and on whose behalf."""

    explicit_home: Path | None
    visitor: str | None = None
    """The identity that a broker authenticated, who came over ssh; None: who owns the home."""

    @property
    def home(self) -> Home:
        """The home that `--home`, PSM_HOME or the platform's custom names."""
        return Home.default(self.explicit_home, os.environ)

    @contextmanager
    def store(self, busy_s: float = BUSY_S) -> Iterator[tuple[Store, Identity]]:
        """Open the checked home's store; yields it with the identity of whoever runs `psm`."""
        from psm_console.operations import local_identity, open_store, visiting_identity

        home = self.home
        with open_store(home, busy_s=busy_s) as store:
            if self.visitor is not None:
                yield store, visiting_identity(store, self.visitor)
            else:
                yield store, local_identity(store, home)

    def no_path(self, named: str) -> None:
        """Raise Denied for visitors: the files of the broker's machine are not theirs to name."""
        if self.visitor is not None:
            raise Denied(f"over ssh a recording is named by its id; {visible(named, 80)} is a path")


def now() -> datetime:
    """Return the wall clock, aware UTC."""
    return datetime.now(UTC)


def listing(command: Command) -> Command:
    """Add `-o FORMAT` and `--json` to a listing; it gets `chosen`."""
    command = click.option(
        "-o",
        "chosen",
        type=click.Choice([str(one) for one in Format]),
        default=str(Format.TABLE),
        help="How to print the list.",
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="The same as -o json.")(command)


def chosen_format(chosen: str, as_json: bool) -> Format:
    """Return the format that the options of `listing` ask for."""
    return Format.JSON if as_json else Format(chosen)


class Instant(click.ParamType[datetime]):
    """An instant: ISO 8601 (UTC when it names no zone), or an age such as `30m`, `12h`, `7d`."""

    name = "time"

    def convert(
        self, value: object, parameter: click.Parameter | None, context: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
        try:
            if text[-1:] in units and text[:-1].isdecimal():
                return now() - timedelta(seconds=int(text[:-1]) * units[text[-1]])
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail("expected a time like 2026-11-20T09:00 or an age like 30m, 12h or 7d")


def filters(command: Command) -> Command:
    """Add the options that choose sessions or recordings."""
    for name, kind, text in (
        ("--until", Instant(), "Only those that began before this time."),
        ("--since", Instant(), "Only those that began at this time or later."),
        ("--target", str, "Only this target or account@target; * stands for anything."),
        ("--operator", str, "Only this operator; * stands for anything."),
    ):
        command = click.option(name, type=kind, help=text)(command)
    return command
