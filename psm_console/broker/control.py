"""The worker's control socket: orders that come past the store, when the store is away.

The order is carried out first and answered over the socket; its row and audit entry wait in the
session's journal until the store takes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import replace

from psm_console.domain.events import Directed
from psm_console.domain.names import DirectiveId, SessionId, WorkerId
from psm_console.domain.session import Directive, Outcome, Receipt, SessionState, Verb
from psm_console.domain.text import visible
from psm_console.store import Home
from psm_console.store.control import (
    LONGEST_LINE,
    Answer,
    Question,
    control_password,
    decoded,
    forget_control,
    listen_for_control,
    peer_of,
)
from psm_console.store.values import to_json

from .entry.moment import new_id, utc_now
from .entry.refusals import RefusalLog
from .session.driver import SessionDriver

log = logging.getLogger(__name__)

_QUESTION_S = 2.0
"""How long a peer may take to ask."""
_LONGEST_PATIENCE_S = 10.0
_PEERS = 16
"""Peers that are served at the same time."""
_VERBS = frozenset({Verb.PAUSE, Verb.TERMINATE})
"""What stops an operator. Letting one go on needs the store and its roles."""


class Control:
    """Answers on the control socket of one worker."""

    def __init__(
        self,
        home: Home,
        worker: WorkerId,
        sessions: Mapping[SessionId, SessionDriver],
        refusals: RefusalLog,
    ) -> None:
        self._home = home
        self._worker = worker
        self._sessions = sessions
        self._refusals = refusals
        self._peers = 0

    async def run(self) -> None:
        """Answer until cancelled."""
        password = await asyncio.to_thread(control_password, self._home)

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(password, reader, writer)

        bound = listen_for_control(self._home, self._worker)
        try:
            server = await asyncio.start_unix_server(served, sock=bound, limit=LONGEST_LINE)
            async with server:
                await server.serve_forever()
        finally:
            bound.close()
            forget_control(self._home, self._worker)

    async def _serve(
        self, password: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._peers += 1
        try:
            # A peer that goes away, or says what we do not understand, has nobody to be told.
            with contextlib.suppress(OSError, ValueError, TimeoutError):
                if self._peers > _PEERS or not self._trusted(writer):
                    return
                async with asyncio.timeout(_QUESTION_S):
                    line = await reader.readline()
                answer = await self._answer(password, decoded(line, Question))
                writer.write(to_json(answer).encode() + b"\n")
                async with asyncio.timeout(_QUESTION_S):
                    await writer.drain()
        finally:
            self._peers -= 1
            writer.close()

    def _trusted(self, writer: asyncio.StreamWriter) -> bool:
        wire: socket.socket = writer.get_extra_info("socket")
        # asyncio's wrapper of the socket has `getsockopt`, which is all that is asked of it.
        process, user = peer_of(wire)
        if user == os.geteuid():
            return True
        self._refusals.stranger(
            "control.refuse", f"uid {user}", f"process {process} is not of the home's owner"
        )
        return False

    async def _answer(self, password: str, question: Question) -> Answer:
        if not hmac.compare_digest(question.password.encode(), password.encode()):
            self._refusals.stranger(
                "control.refuse", "-", "it does not know what keys/control says"
            )
            return Answer(refusal="the control socket is for whoever owns the home")
        if question.verb is None:
            wanted = question.session
            exact = [one for one in self._sessions if one == wanted]
            return Answer(tuple(exact or (one for one in self._sessions if one.startswith(wanted))))
        driver = self._sessions.get(SessionId(question.session))
        if driver is None:
            return Answer(refusal=f"no live session {visible(question.session, 40)} is held here")
        if question.verb not in _VERBS:
            return Answer(refusal=f"{question.verb} needs the store and goes by no other way")
        return Answer((driver.session.id,), await self._obey(driver, question.verb, question))

    async def _obey(self, driver: SessionDriver, verb: Verb, question: Question) -> Directive:
        """Carry the order out, and return it as it stands when it is answered or time is up."""
        order = Directive(
            DirectiveId(f"d-{new_id()}"),
            driver.session.id,
            verb,
            visible(question.actor, 64),
            utc_now(),
            visible(question.reason, 500),
            outcome=Outcome.CLAIMED,
            claimed_by=self._worker,
        )
        log.warning("%s of %s is ordered by the control socket", verb, driver.session.id)
        if driver.live.state is SessionState.ENDED:
            detail = Receipt(detail="the session had ended before; the store learns it later")
            over = Outcome.DONE if verb is Verb.TERMINATE else Outcome.REFUSED
            return replace(order, outcome=over, receipt=detail)
        answered: asyncio.Future[Directive] = asyncio.get_running_loop().create_future()

        def told(outcome: Outcome, receipt: Receipt) -> None:
            if not answered.done():
                answered.set_result(replace(order, outcome=outcome, receipt=receipt))

        at = driver.at()
        driver.journal.directly(order, at, told)
        driver.handle(Directed(at, order.id, verb, order.actor, reason=order.reason))
        patience = min(max(question.patience_s, 0.0), _LONGEST_PATIENCE_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                # Shielded: the answer may come after this peer was told that there is none yet.
                return await asyncio.shield(answered)
        return order
