"""What a broker takes from its machine: the wall clock, and ids that nobody guesses."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def utc_now() -> datetime:
    """Return the wall clock, aware UTC."""
    return datetime.now(UTC)


def elapsed() -> float:
    """Return seconds on a clock that nobody sets, and that runs on while the machine sleeps.

    The loop's clock stands still then, and a grant would last longer than it was given for.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def new_id() -> str:
    """Return 12 random characters that no eye confuses: 59 bits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
