"""How a worker ends when it is replaced: it accepts nothing more and goes with its last session."""

from __future__ import annotations

import asyncio
import logging

from psm_console.domain.events import Draining
from psm_console.domain.names import SessionId

from .serve import Running

log = logging.getLogger(__name__)

_LOOK_S = 0.5
_ARRIVALS_S = 30.0
"""How long connections that were accepted already may take to begin a session."""


async def drain(running: Running, left_s: float) -> None:
    """Stop accepting, tell the operators, and return when nobody is left or time is up."""
    running.accepting.close()
    loop = asyncio.get_running_loop()
    began = loop.time()
    ends = began + left_s
    told: set[SessionId] = set()
    worker = running.worker
    log.info("draining: %d sessions have %g s", len(worker.sessions), left_s)
    while (now := loop.time()) < ends:
        for driver in list(worker.sessions.values()):
            if driver.session.id not in told:
                told.add(driver.session.id)
                driver.handle(Draining(driver.at(), ends - now))
        arriving = running.accepting.arriving or worker.legs
        if not worker.sessions and (not arriving or now - began > _ARRIVALS_S):
            return
        await asyncio.sleep(min(_LOOK_S, ends - now))
