"""How values of the domain stand in columns: times, JSON, and what could not be read back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar, overload

import msgspec

from psm_console.domain.text import visible

from .errors import StoreError

T = TypeVar("T")


@overload
def to_text(at: datetime) -> str: ...
@overload
def to_text(at: datetime | None) -> str | None: ...
def to_text(at: datetime | None) -> str | None:
    """Return an aware time as UTC text of fixed width, which sorts as the times do."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError("a time without a zone can not be stored")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


@overload
def to_time(text: str) -> datetime: ...
@overload
def to_time(text: str | None) -> datetime | None: ...
def to_time(text: str | None) -> datetime | None:
    """Return what `to_text` stored."""
    return None if text is None else datetime.fromisoformat(text)


def to_json(value: object) -> str:
    """Return `value` (dataclasses, lists, strings, numbers) as JSON."""
    return msgspec.json.encode(value).decode()


def from_json(text: str, shape: type[T]) -> T:
    """Return what `to_json` stored."""
    return msgspec.json.decode(text, type=shape)


@contextmanager
def reading(noun: str, key: object) -> Iterator[None]:
    """Say which row can not be understood: somebody wrote to the file by hand."""
    try:
        yield
    except (ValueError, TypeError, msgspec.MsgspecError) as error:
        raise StoreError(
            f"the store's row of {noun} {visible(str(key), 64)} can not be understood "
            f"({visible(str(error), 200)}); "
            "it was written by another program: put back a backup"
        ) from error
