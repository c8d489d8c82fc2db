"""Waiting for a condition, so that no test sleeps for a guess."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(condition: Callable[[], T], *, within_s: float = 30.0, what: str = "") -> T:
    """Return the first truthy value of `condition`, asked every 10 ms for at most `within_s`."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or condition}")
        await asyncio.sleep(0.01)
    return value


def eventually_sync(condition: Callable[[], T], *, within_s: float = 30.0, what: str = "") -> T:
    """`eventually` for tests without a loop."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or condition}")
        time.sleep(0.01)
    return value
