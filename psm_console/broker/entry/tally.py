"""Counts that hold over all workers, in memory that they share.

Each worker writes a row of its own and reads everybody's, so that no lock is needed and what a dead
worker had counted goes with its row. A key stands in it as a keyed hash of 64 bits: nobody has two
that meet, who does not know the hash's key.
"""

from __future__ import annotations

import heapq
import mmap
import os
import secrets
from hashlib import blake2b

ROWS = 64
"""Workers at most, those included that drain."""
SLOTS = 4096
"""Keys of one worker that are counted apart; those past them share a count."""
_KEY = 16
_CELL = 4
"""Bytes of a count."""
_DIGEST = 8
_LOAD, _USED, _SHARED, _HEAD = range(4)
"""A row's first cells: connections and 1, slots that were ever used, the shared count."""
_COUNTS = _HEAD + 1 + SLOTS * _DIGEST // _CELL
_CELLS = _COUNTS + SLOTS


class Tally:
    """One worker's view of the shared counts; `row` is its own."""

    def __init__(self, descriptor: int, row: int) -> None:
        """Map the memory behind `descriptor`, which `allot` made."""
        self._memory = mmap.mmap(descriptor, _KEY + ROWS * _CELLS * _CELL)
        self._key = self._memory[:_KEY]
        self._row = row * _CELLS
        self._accepts = True
        self._cells = memoryview(self._memory)[_KEY:].cast("I")
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
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
        start = row * _CELLS
        used = self._cells[start + _USED]
        for first, cells in (
            (start + _COUNTS, used),
            (start, _HEAD + 1 + used * _DIGEST // _CELL),
        ):
            self._cells[first : first + cells] = memoryview(bytes(cells * _CELL)).cast("I")

    def count(self, key: str, by: int) -> None:
        """Count `key` up or down for this worker."""
        slot = self._slots.get(key)
        if slot is None and by > 0:
            slot = self._take(key)
        cell = self._row + (_SHARED if slot is None else _COUNTS + slot)
        self._cells[cell] += by
        if slot is not None and not self._cells[cell]:
            self._give_back(key, slot)

    def total(self, key: str) -> int:
        """Return the count of `key` over all workers."""
        digest, total = self._digest(key), 0
        for row in range(0, ROWS * _CELLS, _CELLS):
            total += self._cells[row + _SHARED]
            slot = self._find(row, digest)
            if slot is not None:
                total += self._cells[row + _COUNTS + slot]
        return total

    def carry(self, load: int) -> None:
        """Say how many connections this worker holds."""
        if self._accepts:
            # 0 is a row without a worker.
            self._cells[self._row + _LOAD] = load + 1

    def ahead(self) -> int:
        """Return how many more connections this worker holds than the one with the fewest."""
        loads = [load for load in self._cells[_LOAD::_CELLS].tolist() if load]
        own = self._cells[self._row + _LOAD]
        return own - min(loads, default=own) if own else 0

    def leave(self) -> None:
        """Take this worker out of the comparison: it accepts nothing more."""
        self._accepts = False
        self._cells[self._row + _LOAD] = 0

    def _take(self, key: str) -> int | None:
        """Give `key` a slot of this worker's, the lowest; None when there is none."""
        used = self._cells[self._row + _USED]
        if not self._free and used == SLOTS:
            return None
        slot = self._slots[key] = heapq.heappop(self._free) if self._free else used
        self._write(slot, self._digest(key))
        self._cells[self._row + _USED] = max(used, slot + 1)
        return slot

    def _give_back(self, key: str, slot: int) -> None:
        self._write(slot, bytes(_DIGEST))
        heapq.heappush(self._free, slot)
        del self._slots[key]

    def _write(self, slot: int, digest: bytes) -> None:
        at = _place(self._row) + slot * _DIGEST
        self._memory[at : at + _DIGEST] = digest

    def _find(self, row: int, digest: bytes) -> int | None:
        """Return where in `row` the key of `digest` is counted."""
        begin = at = _place(row)
        end = begin + self._cells[row + _USED] * _DIGEST
        while (at := self._memory.find(digest, at, end)) >= 0:
            slot, beside = divmod(at - begin, _DIGEST)
            if not beside:
                return slot
            at += 1  # the end of one and the beginning of the next
        return None

    def _digest(self, key: str) -> bytes:
        data = key.encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=_DIGEST, key=self._key).digest()


def _place(row: int) -> int:
    """Return where the hashes of a row begin that begins with cell `row`."""
    return _KEY + (row + _HEAD + 1) * _CELL


def allot() -> int:
    """Return the descriptor of new shared counts, all zero; memfd_create(2)."""
    descriptor = os.memfd_create("psm-tally")
    os.ftruncate(descriptor, _KEY + ROWS * _CELLS * _CELL)
    os.pwrite(descriptor, secrets.token_bytes(_KEY), 0)
    return descriptor
