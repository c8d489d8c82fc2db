"""What sessions stand on: the inventory as it was last read, and the keys in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime

from psm_console.domain.access import Refused, decide
from psm_console.domain.events import Stopped
from psm_console.domain.inventory import Inventory
from psm_console.store import Store, StoreError, StoreThread

from ..entry.keyring import Keyring
from .driver import SessionDriver

log = logging.getLogger(__name__)

_REFRESH_S = 1.5
"""How long a login waits for the newest inventory; the session's start insists on it."""
STORE_SILENT = "the store does not answer in time"
KEY_GONE = "the key that was used to log in is no longer known; ask an admin to add a new one"


class Ground:
    """The newest inventory that could be read, and the sessions' right to go on."""

    def __init__(self, store: StoreThread) -> None:
        self._store = store
        self.inventory = Inventory({}, {}, {}, ())
        self.keyring = Keyring(self.inventory)
        self.version: object = None
        self._checked: Inventory | None = None
        """The inventory that the live sessions were last held against."""

    async def refresh(self) -> None:
        """Read the inventory again if it was changed; the old one stays if the store is away."""
        try:
            # Not `wait_for`, which may lose a cancellation: this task ends by one.
            async with asyncio.timeout(_REFRESH_S):
                await self.read()
        except (StoreError, TimeoutError) as error:
            log.error("the inventory can not be read: %s", error or STORE_SILENT)

    async def read(self) -> None:
        """Read the inventory again if it was changed; raise when it can not be read."""
        known = self.version
        version, inventory = await self._store.call(
            lambda store: _inventory_after(known, store), first=True
        )
        if inventory is not None:
            self.inventory = inventory
            self.version = version
            self.keyring = Keyring(inventory)

    def check(self, drivers: Iterable[SessionDriver], now: datetime) -> None:
        """End the sessions that the inventory, as it is now, would not let begin.

        What `apply` takes away it orders to end, but it knows nothing of keys.
        """
        if self._checked is self.inventory:
            return
        self._checked = self.inventory
        for driver in drivers:
            proof, account = driver.brief.proof, driver.session.account
            answer = decide(proof.identity.name, account, self.inventory, now)
            if not self.keyring.holds(proof):
                driver.handle(Stopped(driver.at(), KEY_GONE))
            elif isinstance(answer, Refused):
                driver.handle(Stopped(driver.at(), answer.reason))
            else:
                driver.check_forwards(self.inventory.targets.get(account.target))


def _inventory_after(version: object, store: Store) -> tuple[object, Inventory | None]:
    current = store.inventory.version()
    return current, None if current == version else store.inventory.load()
