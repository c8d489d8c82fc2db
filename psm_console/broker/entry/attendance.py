"""How many authenticated connections each identity has, over all workers."""

from __future__ import annotations

from typing import Protocol


class Counts(Protocol):
    """Counts by key, which several workers may share."""

    def count(self, key: str, by: int) -> None:
        """Count `key` up or down."""

    def total(self, key: str) -> int:
        """Return the count of `key` over all workers."""


class Attendance:
    """Counts identities in and out. Two that come for one last place may both be refused."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def enter(self, identity: str, most: int) -> bool:
        """Count a connection of `identity`; False, and not counted, when `most` are there."""
        self._counts.count(_key(identity), 1)
        if self._counts.total(_key(identity)) <= most:
            return True
        self.leave(identity)
        return False

    def leave(self, identity: str) -> None:
        """Count one connection less."""
        self._counts.count(_key(identity), -1)


def _key(identity: str) -> str:
    return f"identity {identity}"
