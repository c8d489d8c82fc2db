"""What came of bytes of an SFTP channel: what to pass on, what to answer, what was done to files.

They are in the order in which they must be performed: an operation is recorded before the packet
that asks for it is passed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .requests import Facts


class Side(StrEnum):
    """Who sent the bytes."""

    OPERATOR = "i"
    TARGET = "o"


@dataclass(frozen=True, slots=True)
class Forward:
    """Pass these bytes on to the other side: whole packets."""

    side: Side
    """Who sent them."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Give this packet to the operator, in the target's place."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A file operation is about to be passed on. `number` counts the channel's from 1."""

    number: int
    op: str
    path: bytes
    other: bytes | None = None
    """The second path of a rename, a link or a copy."""
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not passed on, and why; numbered as the operations are."""

    number: int
    op: str
    path: bytes
    why: str
    other: bytes | None = None
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What the target said of an operation: `ok`, or why not."""

    number: int
    op: str
    result: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """Bytes of one open file that went one way."""

    bytes: int
    offset: int
    """Where in the file they begin."""
    sha256: str | None
    """Of all of them, in hexadecimal; None when they did not follow each other."""
    failed: int = 0
    """Reads or writes that the target said it did not do; what they wrote is counted anyway."""


@dataclass(frozen=True, slots=True)
class Closed:
    """An open file or folder was closed; `number` is that of its open."""

    number: int
    path: bytes
    result: str
    read: Transferred | None = None
    written: Transferred | None = None
    entries: int | None = None
    """Of a folder: how many names were read."""


@dataclass(frozen=True, slots=True)
class Summed:
    """How many requests of each kind came in all: also those that only look at files."""

    requests: tuple[tuple[str, int], ...]
    held: int = 0
    """Bytes that were not passed on, because their packet had no end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The stream of one side can not be followed: the channel must end. Nothing comes after."""

    side: Side
    sentence: str


FileEvent = Asked | Refused | Answered | Closed | Summed
SftpEvent = Forward | Answer | FileEvent | Fault
