"""Has supervised sessions know who watches them: the store's watchers, as events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from psm_console.domain.events import WatchReleased, WatchRenewed
from psm_console.domain.inventory import Identity
from psm_console.domain.names import SessionId, WorkerId
from psm_console.domain.supervision import may_supervise
from psm_console.store import Store, StoreError, StoreThread
from psm_console.store.watchers import Watching

from .driver import SessionDriver

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""Between two looks. With a watch's lease, input stops within 3 s of the last refresh."""
_Seen = dict[str, tuple[Watching, Identity]]


class Supervision:
    """One worker's looks at who shadows its supervised sessions."""

    def __init__(
        self, worker: WorkerId, store: StoreThread, sessions: Mapping[SessionId, SessionDriver]
    ) -> None:
        self._worker = worker
        self._store = store
        self._sessions = sessions
        self._seen: _Seen = {}

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Hand on which watches were renewed; the clock that counts is the session's own."""
        if not any(driver.live.supervision for driver in self._sessions.values()):
            return
        try:
            found = await self._store.call(self._read, first=True)
        except StoreError as error:
            # Nobody is told to watch: the leases run out, and the sessions are paused.
            log.error("the store does not say who watches: %s", error)
            return
        before, self._seen = self._seen, found
        for token, (watch, identity) in found.items():
            driver = self._sessions.get(watch.session)
            if driver is None or driver.live.supervision is None:
                continue
            if not may_supervise(identity, driver.session.operator):
                driver.handle(WatchReleased(driver.at(), token))
            elif token not in before or before[token][0] != watch:
                driver.handle(WatchRenewed(driver.at(), token, watch.identity))
        for token in before.keys() - found.keys():
            gone = self._sessions.get(before[token][0].session)
            if gone is not None:
                gone.handle(WatchReleased(gone.at(), token))

    def _read(self, store: Store) -> _Seen:
        # The roles are read anew: who lost the right while they watched supervises no more.
        return {
            token: (watch, identity)
            for token, watch in store.watchers.shadowing(self._worker).items()
            if (identity := store.inventory.identity(watch.identity)) is not None
        }
