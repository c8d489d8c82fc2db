"""Looks after every session about once a second: a few at a time, so that no key waits for all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from psm_console.domain.names import SessionId

from .driver import SessionDriver

log = logging.getLogger(__name__)

ROUND_S = 1.0
_MOST_PARTS = 50
"""A look at a session takes some 50 µs; of a thousand this is a millisecond at a time."""


class Rounds:
    """Goes round the live `sessions` for ever, and calls `look` for each, `looked` after a few."""

    def __init__(
        self,
        sessions: Mapping[SessionId, SessionDriver],
        look: Callable[[SessionDriver], None],
        looked: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._look = look
        self._looked = looked

    async def run(self) -> None:
        """Go round for ever."""
        while True:
            live = list(self._sessions)
            parts = max(min(len(live), _MOST_PARTS), 1)
            for part in range(parts):
                for session in live[part::parts]:
                    driver = self._sessions.get(session)
                    if driver is not None:  # it may have ended since the round began
                        self._look_after(driver)
                self._looked()
                await asyncio.sleep(ROUND_S / parts)

    def _look_after(self, driver: SessionDriver) -> None:
        try:
            self._look(driver)
        except Exception:
            # Raised further it would end the round, and those behind this one would wait for ever.
            log.exception("a session can not be looked after")
