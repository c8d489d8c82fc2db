"""What a broker takes from its machine: the wall clock, and ids that nobody guesses."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def utc_now() -> datetime:
    """Return the wall clock, aware UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return 12 random characters that no eye confuses: 59 bits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
