"""Whoever watches sessions of this worker: woken when a recording has grown."""

from __future__ import annotations

import asyncio

from psm_console.domain.names import SessionId
from psm_console.store import Home, Ringer

_LOOK_S = 0.05
"""How late the first ring may be for somebody who has just begun to watch."""


class Onlookers:
    """Rings for watched sessions at once, and looks now and then whether others are watched.

    Most sessions are not. To look at each key was a tenth of what the key cost.
    """

    def __init__(self, home: Home) -> None:
        self._ringer = Ringer(home)
        self._watched: set[SessionId] = set()
        self._others: set[SessionId] = set()

    def appended(self, session: SessionId) -> None:
        """Wake whoever watches `session`, once for all that is appended in this loop turn."""
        if session in self._others or session in self._watched:
            return
        loop = asyncio.get_running_loop()
        if self._ringer.heard(session):
            if not self._watched:
                loop.call_soon(self._ring)
            self._watched.add(session)
        else:
            if not self._others:
                loop.call_later(_LOOK_S, self._look)
            self._others.add(session)

    def close(self) -> None:
        """Give back the socket."""
        self._ringer.close()

    def _ring(self) -> None:
        sessions, self._watched = self._watched, set()
        self._ringer.ring(*sessions)

    def _look(self) -> None:
        sessions, self._others = self._others, set()
        self._ringer.ring(*sessions)
