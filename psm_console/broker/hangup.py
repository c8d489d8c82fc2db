"""Ends a session: both legs at once, then the recording, each step timed for the receipt.

Steps carry milliseconds since the session began; the journal turns them into the directive's time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.connection import SSHConnection

from psm_console.domain.events import Finished
from psm_console.domain.live import BROKER
from psm_console.domain.session import Step

from . import notices

if TYPE_CHECKING:
    from .driver import SessionDriver

log = logging.getLogger(__name__)

_POLITE_S = 1.0
"""How long the operator's client may take to close its channels after it was told."""
_FIRM_S = 2.0
"""How long a leg may take to close its connection before the socket is cut."""
ENDED_STATUS = 254
"""What shell and exec clients get when the session was ended for them."""


class HangUp:
    """The end of one session. It never raises: what can not be done is a failed step."""

    def __init__(self, driver: SessionDriver, reason: str, by: str) -> None:
        self._driver = driver
        self._reason = reason
        self._by = by

    async def run(self) -> Finished:
        """Close the legs, seal the recording, and return what came of it."""
        driver = self._driver
        text = notices.ending(self._reason, self._by)
        for relay in list(driver.relays.values()):
            relay.hang_up(text, ENDED_STATUS)
        legs = await asyncio.gather(self._operator_leg(), self._target_leg())
        for relay in list(driver.relays.values()):
            driver.channel_closed(relay)
        seal, digest = await self._seal()
        credential = Step("credential", None, "a stored secret: not changed by the session's end")
        return Finished(driver.at(), (*legs, seal, credential), digest)

    async def _operator_leg(self) -> Step:
        operator = self._driver.operator
        said = [relay.closed.wait() for relay in self._driver.relays.values() if relay.operator]
        if said:
            waits = [asyncio.ensure_future(wait) for wait in said]
            _, late = await asyncio.wait(waits, timeout=_POLITE_S)
            for wait in late:
                wait.cancel()
        elif self._driver.target is None:
            # Let the answer "channel open failed", with its reason, come before the disconnect.
            await asyncio.wait([asyncio.ensure_future(operator.wait_closed())], timeout=_POLITE_S)
        operator.disconnect(asyncssh.DISC_BY_APPLICATION, self._reason[:200])
        return await self._closed("operator leg closed", operator)

    async def _target_leg(self) -> Step:
        target = self._driver.target
        if target is None:
            return Step("target leg closed", self._ms(), "was not open")
        # The kill signals are written before this in the same stream, so they arrive first.
        target.disconnect(asyncssh.DISC_BY_APPLICATION, "session ended")
        return await self._closed("target leg closed", target)

    async def _closed(self, name: str, leg: SSHConnection) -> Step:
        try:
            await asyncio.wait_for(leg.wait_closed(), _FIRM_S)
        except TimeoutError:
            leg.abort()
            return Step(name, self._ms(), "cut: it did not close by itself")
        return Step(name, self._ms())

    async def _seal(self) -> tuple[Step, str | None]:
        driver = self._driver
        why = f"{self._by}: {self._reason}" if self._by != BROKER else self._reason
        try:
            seal = await asyncio.to_thread(driver.recorder.close, driver.at(), why)
        except Exception as error:
            log.error("%s: the recording is not sealed: %s", driver.session.id, error)
            failed = f"{type(error).__name__}: {error}"
            return Step("recording sealed", None, failed, failed=True), None
        driver.journal.sealed(driver.at(), seal)
        if seal.failure is not None:
            return Step("recording sealed", None, seal.failure, failed=True), seal.digest
        return Step("recording sealed", self._ms()), seal.digest

    def _ms(self) -> float:
        return self._driver.at() * 1000
