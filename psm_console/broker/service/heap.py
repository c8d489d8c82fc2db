"""Keeps the process's memory from being given back and taken again with every chunk."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 16 << 20
"""Bytes at the end of the heap that stay with the process though they are free."""
_MAPPED = 4 << 20
"""From this size on, memory is still taken from the system by itself, and given back."""


def keep_heap() -> None:
    """Tell glibc, where it is glibc, what to keep; mallopt(3).

    A chunk of a bulk transfer is a few hundred KiB, just what glibc would give back at once: each
    of its pages would be cleared and mapped anew for the next, a fifth of the cost of a byte.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _MAPPED)
