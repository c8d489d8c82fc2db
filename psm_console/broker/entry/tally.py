"""Counts that hold over all workers, in memory that they share.

Each worker writes a row of its own and reads everybody's, so that no lock is needed and what a dead
worker had counted goes with its row. Keys share 4096 buckets by a keyed hash: two that meet in one
share a limit, which nobody can bring about who does not know the key.
"""

from __future__ import annotations

import mmap
import os
import secrets
from hashlib import blake2b

_BUCKETS = 4096
_KEY = 16
_CELL = 4
"""Bytes of a count."""
_ROW = (1 + _BUCKETS) * _CELL
ROWS = 64
"""Workers at most, those included that drain."""


class Tally:
    """One worker's view of the shared counts; `row` is its own."""

    def __init__(self, descriptor: int, row: int) -> None:
        """Map the memory behind `descriptor`, which `allot` made."""
        self._memory = mmap.mmap(descriptor, _KEY + ROWS * _ROW)
        self._key = self._memory[:_KEY]
        self._row = row
        self._accepts = True
        self._cells = memoryview(self._memory)[_KEY:].cast("I")
        self.clear(row)

    @classmethod
    def alone(cls) -> Tally:
        """Return the counts of a worker that shares them with nobody."""
        descriptor = allot()
        try:
            return cls(descriptor, 0)
        finally:
            os.close(descriptor)

    def clear(self, row: int) -> None:
        """Forget what the worker of `row` had counted."""
        start = row * (1 + _BUCKETS)
        self._cells[start : start + 1 + _BUCKETS] = memoryview(bytes(_ROW)).cast("I")

    def count(self, key: str, by: int) -> None:
        """Count `key` up or down for this worker."""
        self._cells[self._row * (1 + _BUCKETS) + 1 + self._bucket(key)] += by

    def total(self, key: str) -> int:
        """Return the count of `key` over all workers."""
        first = 1 + self._bucket(key)
        return sum(self._cells[first :: 1 + _BUCKETS].tolist())

    def carry(self, load: int) -> None:
        """Say how many connections this worker holds."""
        if self._accepts:
            # 0 is a row without a worker.
            self._cells[self._row * (1 + _BUCKETS)] = load + 1

    def ahead(self) -> int:
        """Return how many more connections this worker holds than the one with the fewest."""
        loads = [load for load in self._cells[:: 1 + _BUCKETS].tolist() if load]
        own = self._cells[self._row * (1 + _BUCKETS)]
        return own - min(loads, default=own) if own else 0

    def leave(self) -> None:
        """Take this worker out of the comparison: it accepts nothing more."""
        self._accepts = False
        self._cells[self._row * (1 + _BUCKETS)] = 0

    def _bucket(self, key: str) -> int:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=4, key=self._key)
        return int.from_bytes(digest.digest(), "little") % _BUCKETS


def allot() -> int:
    """Return the descriptor of new shared counts, all zero; memfd_create(2)."""
    descriptor = os.memfd_create("psm-tally")
    os.ftruncate(descriptor, _KEY + ROWS * _ROW)
    os.pwrite(descriptor, secrets.token_bytes(_KEY), 0)
    return descriptor
