"""Reads config.toml: the policy of a home, table for table what domain/policy.py declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from psm_console.domain.policy import Policy
from psm_console.domain.second_step import pattern_fault
from psm_console.domain.text import HIDDEN

from .documents import decode, read_toml
from .errors import DocumentError

T = TypeVar("T")

LARGEST_CONFIG = 1 << 20
YEAR_S = 366 * 86400.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")
_LONGEST_TEXT = 2000

RANGES: dict[str, tuple[float, float]] = {
    "limits.idle_s": (0, YEAR_S),
    "limits.duration_s": (0, YEAR_S),
    "limits.pause_s": (0, YEAR_S),
    "limits.unsupervised_s": (0, YEAR_S),
    "limits.warn_s": (0, YEAR_S),
    "limits.withheld_bytes": (1 << 12, 64 << 20),
    "limits.channels": (1, 100),
    "limits.connections": (1, 10_000),
    "recording.quota_bytes": (0, 1 << 50),
    # What a crash may leave unsigned is promised to be 10 s or 1 MiB at most.
    "recording.checkpoint_s": (0.1, 10),
    "recording.checkpoint_bytes": (1 << 12, 1 << 20),
    "recording.disk_warn": (0, 1),
    "recording.disk_refuse": (0, 1),
    "console.visits": (0, 1000),
    "console.visits_per_identity": (0, 1000),
    "console.idle_s": (0, YEAR_S),
}
"""The least and greatest value of each number; 0 switches a time limit off."""
_ANY_NUMBER = (0.0, float(1 << 50))


def load_policy(path: Path) -> Policy:
    """Return the policy in `path`; what it does not say, or no file at all, means the defaults.

    Raises DocumentError, whose sentence names the path of the fault.
    """
    try:
        tables = read_toml(path, LARGEST_CONFIG)
    except FileNotFoundError:
        return Policy()
    policy = _made(Policy, decode(tables, _strict(Policy)))
    for place, value in values(policy):
        _check(place, value)
    for number, pattern in enumerate(policy.environment):
        if not _VARIABLE.fullmatch(pattern):
            raise DocumentError(
                f"environment[{number}]: expected a variable's name, with * at its end at most"
            )
    for number, pattern in enumerate(policy.sftp.denied_paths):
        if not pattern.startswith(("/", "*")):
            # Any other pattern would match no path, and protect nothing.
            raise DocumentError(f"sftp.denied_paths[{number}]: expected a path from / on, or *")
    if (fault := pattern_fault(policy.login.ticket_pattern)) is not None:
        raise DocumentError(f"login.ticket_pattern: {fault}")
    return policy


def values(table: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of a policy with its path, `limits.idle_s` or `environment[0]`."""
    for field in fields(table):
        place, value = f"{at}{field.name}", getattr(table, field.name)
        if is_dataclass(value):
            yield from values(value, f"{place}.")
        elif isinstance(value, tuple):
            yield from ((f"{place}[{number}]", one) for number, one in enumerate(value))
        else:
            yield place, value


def _strict(shape: type[Any]) -> type[msgspec.Struct]:
    """Return a struct like the dataclass `shape` that refuses fields which that has not."""
    hints = get_type_hints(shape)
    made: list[tuple[str, Any, Any]] = []
    for field in fields(shape):
        hint = hints[field.name]
        if is_dataclass(hint):
            assert isinstance(hint, type)
            inner = _strict(hint)
            made.append((field.name, inner, msgspec.field(default_factory=inner)))
        else:
            assert field.default is not MISSING, "a policy has a default for everything"
            made.append((field.name, hint, field.default))
    return msgspec.defstruct(shape.__name__, made, forbid_unknown_fields=True)


def _made(shape: type[T], struct: msgspec.Struct) -> T:
    """Return the dataclass that a struct of `_strict` stands for."""
    hints = get_type_hints(shape)
    given = {name: getattr(struct, name) for name in struct.__struct_fields__}
    return shape(
        **{
            name: _made(hints[name], value) if isinstance(value, msgspec.Struct) else value
            for name, value in given.items()
        }
    )


def _check(place: str, value: object) -> None:
    if isinstance(value, str):
        if HIDDEN.search(value.replace("\n", "")) or len(value) > _LONGEST_TEXT:
            raise DocumentError(f"{place}: expected up to {_LONGEST_TEXT} characters of plain text")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        least, greatest = RANGES.get(place, _ANY_NUMBER)
        if not least <= value <= greatest:
            raise DocumentError(f"{place}: expected {least:g} to {greatest:g}, got {value:g}")
