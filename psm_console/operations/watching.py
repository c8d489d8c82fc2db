"""Wakes front ends when the store or a live recording has changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from psm_console.store import Home


def watch_changes(home: Home) -> AsyncGenerator[None, None]:
    """Yield at once, then whenever the store may have changed, and at least each second.

    Close the iterator (`contextlib.aclosing`) when leaving it early.
    """
    from psm_console.store.listening import listen

    return listen(home, "store", home.database)


def watch_recording(home: Home, session_id: str, file: Path) -> AsyncGenerator[None, None]:
    """Yield at once, then whenever the live recording may have grown, and each second."""
    from psm_console.store.listening import listen

    return listen(home, session_id, file)
