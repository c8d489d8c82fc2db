"""Ends a session: both legs at once, then the recording, each step timed for the receipt.

Steps carry milliseconds since the session began; the journal turns them into the directive's time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

import asyncssh
from asyncssh.connection import SSHConnection

from psm_console.domain.events import Finished
from psm_console.domain.live import BROKER
from psm_console.domain.session import Session, Step
from psm_console.recording.writer import SessionRecorder

from ..channel.coupling import Coupling
from ..channel.live_channel import LiveChannel
from ..notice import notices
from .journal import Journal

log = logging.getLogger(__name__)

_POLITE_S = 1.0
"""How long the operator's client may take to close its channels after it was told."""
_FIRM_S = 2.0
"""How long the operator leg may take to close its connection before the socket is cut."""
_TARGET_FIRM_S = 0.6
"""The same for the target leg, which nobody there has to read anything on: a second in all."""
ENDED_STATUS = 254
"""What shell and exec clients get when the session was ended for them."""


class EndingSession(Protocol):
    """What is ended; the driver is one."""

    @property
    def session(self) -> Session:
        """The session as it began."""

    @property
    def relays(self) -> Mapping[int, Coupling]:
        """Its open channels, by number."""

    @property
    def operator(self) -> asyncssh.SSHServerConnection:
        """The operator leg."""

    @property
    def target(self) -> asyncssh.SSHClientConnection | None:
        """The target leg, if it was opened."""

    @property
    def recorder(self) -> SessionRecorder:
        """Its recording."""

    @property
    def journal(self) -> Journal:
        """What the store learns of it."""

    def at(self) -> float:
        """Seconds since the session began."""

    def channel_closed(self, channel: LiveChannel) -> None:
        """Take a channel off the session."""


class HangUp:
    """The end of one session. It never raises: what can not be done is a failed step."""

    def __init__(self, session: EndingSession, reason: str, by: str) -> None:
        self._session = session
        self._reason = reason
        self._by = by

    async def run(self) -> Finished:
        """Close the legs, seal the recording, and return what came of it."""
        session = self._session
        text = notices.ending(self._reason, self._by)
        for relay in list(session.relays.values()):
            relay.hang_up(text, ENDED_STATUS)
        legs = await asyncio.gather(self._operator_leg(), self._target_leg())
        for relay in list(session.relays.values()):
            session.channel_closed(relay.channel)
        seal, digest = await self._seal()
        credential = Step("credential", None, "a stored secret: not changed by the session's end")
        return Finished(session.at(), (*legs, seal, credential), digest)

    async def _operator_leg(self) -> Step:
        operator = self._session.operator
        said = [
            relay.closed.wait() for relay in self._session.relays.values() if relay.channel.operator
        ]
        if said:
            waits = [asyncio.ensure_future(wait) for wait in said]
            _, late = await asyncio.wait(waits, timeout=_POLITE_S)
            for wait in late:
                wait.cancel()
        elif self._session.target is None:
            # Let the answer "channel open failed", with its reason, come before the disconnect.
            await asyncio.wait([asyncio.ensure_future(operator.wait_closed())], timeout=_POLITE_S)
        operator.disconnect(asyncssh.DISC_BY_APPLICATION, self._reason[:200])
        return await self._closed("operator leg closed", operator, _FIRM_S)

    async def _target_leg(self) -> Step:
        target = self._session.target
        if target is None:
            return Step("target leg closed", self._ms(), "was not open")
        # The kill signals are written before this in the same stream, so they arrive first.
        target.disconnect(asyncssh.DISC_BY_APPLICATION, "session ended")
        return await self._closed("target leg closed", target, _TARGET_FIRM_S)

    async def _closed(self, name: str, leg: SSHConnection, within_s: float) -> Step:
        try:
            await asyncio.wait_for(leg.wait_closed(), within_s)
        except TimeoutError:
            leg.abort()
            return Step(name, self._ms(), "cut: it did not close by itself")
        return Step(name, self._ms())

    async def _seal(self) -> tuple[Step, str | None]:
        session = self._session
        why = f"{self._by}: {self._reason}" if self._by != BROKER else self._reason
        try:
            seal = await asyncio.to_thread(session.recorder.close, session.at(), why)
        except Exception as error:
            log.error("%s: the recording is not sealed: %s", session.session.id, error)
            failed = f"{type(error).__name__}: {error}"
            return Step("recording sealed", None, failed, failed=True), None
        session.journal.sealed(session.at(), seal)
        if seal.failure is not None:
            return Step("recording sealed", None, seal.failure, failed=True), seal.digest
        return Step("recording sealed", self._ms()), seal.digest

    def _ms(self) -> float:
        return self._session.at() * 1000
