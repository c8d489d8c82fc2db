"""Reads the TOML files that people write, strictly: every fault is named by its path."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from psm_console.domain.text import visible

from .errors import DocumentError

T = TypeVar("T")

LARGEST = 8 << 20
"""Bytes a document may have; an inventory of 40,000 targets is below it."""
_DEEP = re.compile(r"""(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){32}""")
"""A dotted key of many parts: the parser's time grows with the square of their number."""
_AT = re.compile(r"(?P<said>.*) - at `\$(?P<path>[^`]*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)


def read_toml(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """Return the tables of the TOML file at `path`.

    Raises FileNotFoundError when there is none, DocumentError for everything else.
    """
    name = visible(str(path), 200)
    data = _read(path, name, largest)
    try:
        text = data.decode("utf-8")
        if _DEEP.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    except RecursionError:
        raise DocumentError(f"{name} nests too deeply; write it flatter") from None
    except ValueError as error:
        raise DocumentError(f"{name} is not TOML: {visible(str(error), 200)}") from None


def _read(path: Path, name: str, largest: int) -> bytes:
    try:
        # O_NONBLOCK: a FIFO put here must not hang us.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name can not be used"
        raise DocumentError(f"{name} can not be read: {said}") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise DocumentError(f"{name} is not a file; name the TOML file itself")
        if found.st_size > largest:
            raise DocumentError(
                f"{name} has {found.st_size} bytes, more than the {largest} that are read; split it"
            )
        with open(handle, "rb", closefd=False) as file:
            data = file.read(largest + 1)
    finally:
        os.close(handle)
    if len(data) > largest:
        raise DocumentError(f"{name} grows while it is read; is it the right file?")
    return data


def decode(table: Any, shape: type[T], at: str = "") -> T:
    """Return `table` as `shape` (a msgspec struct), or raise DocumentError naming the path.

    `at` is the path of `table` itself. Mappings must be decoded entry by entry by the caller:
    msgspec does not say which key of a mapping it means.
    """
    try:
        return msgspec.convert(table, shape, strict=True)
    except msgspec.ValidationError as error:
        raise DocumentError(_sentence(str(error), at)) from None


def table_at(table: Any, at: str) -> dict[str, Any]:
    """Return `table` when it is one, or raise DocumentError."""
    if not isinstance(table, dict):
        raise DocumentError(f"{at}: expected a table, got {kind_of(table)}")
    return table


def kind_of(value: object) -> str:
    """Return what TOML calls the kind of `value`."""
    kinds = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        list: "an array",
    }
    return kinds.get(type(value), "a table" if isinstance(value, dict) else "a date or time")


def _sentence(said: str, at: str) -> str:
    found = _AT.fullmatch(said)
    inner = found["path"] if found else ""
    said = found["said"] if found else said
    path = visible(f"{at}{inner}".strip("."), 200)
    for pattern, words in ((_UNKNOWN, "is not known here"), (_MISSING, "is missing")):
        if field := pattern.fullmatch(said):
            return f"{path}{'.' if path else ''}{visible(field[1], 64)}: {words}"
    said = visible(said, 200)
    return f"{path or 'the file'}: {said[:1].lower()}{said[1:]}"
