"""The second step of a login: what is asked once the key has proved somebody, and the answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from psm_console.credentials import CredentialError, matching_step
from psm_console.domain.policy import LoginPolicy
from psm_console.domain.second_step import (
    Answers,
    Step,
    question,
    read_reason,
    read_ticket,
    steps_for,
)
from psm_console.store import StoreError, StoreThread

from .keyring import Keyring, Proof
from .slowdown import Slowdown

log = logging.getLogger(__name__)

TRIES = 3
_STORE_S = 5.0
"""How long the store may take to say whether a code was used before; then it counts as wrong."""
UNCHECKED = "your code can not be checked at the moment; tell an admin"
_LONGEST_ANSWER = 2000

Challenge = tuple[str, str, str, list[tuple[str, bool]]]
"""Of keyboard-interactive (RFC 4256): name, instruction, language, prompts with echo or not."""


class StepGround(Protocol):
    """What answers are judged on; the worker has it."""

    @property
    def store(self) -> StoreThread:
        """Knows which codes were used."""

    @property
    def slowdown(self) -> Slowdown:
        """Closes the second step of an identity where too much was wrong."""


class SecondStep:
    """Asks `proof`'s identity for what is still missing, and judges it."""

    def __init__(self, ground: StepGround, policy: LoginPolicy, keyring: Keyring, proof: Proof):
        self._ground = ground
        self._policy = policy
        self._identity = proof.identity
        groups = keyring.inventory.groups_of(proof.identity)
        asked = steps_for(
            proof.identity, groups, policy.second_step, console=proof.login.account is None
        )
        self.missing = tuple(step for step in asked if step not in proof.answers.steps)
        self._tries = 0
        self._why = ""

    @property
    def impossible(self) -> str | None:
        """Why it can not be passed at all, for the client to read."""
        if not self.missing:
            return None
        name = self._identity.name
        if Step.TOTP in self.missing and self._identity.totp is None:
            return f"a one-time code is asked of {name}, who has no secret yet; ask an admin"
        if self._ground.slowdown.closed(name):
            return f"too many answers were wrong for {name}; wait some minutes, then log in again"
        return None

    @property
    def notice(self) -> str:
        """What a client reads before it is asked; one that can not answer has this only."""
        names = ", ".join(question(step).prompt.strip(": ").lower() for step in self.missing)
        return (
            f"[psm] the key is accepted; still asked for: {names}. A client that can not be asked "
            "(BatchMode, a script) is not let in."
        )

    def challenge(self) -> Challenge:
        """Return what is asked now; what was wrong before stands above it."""
        prompts = [question(step) for step in self.missing]
        return "", self._why, "", [(one.prompt, one.echo) for one in prompts]

    @property
    def spent(self) -> bool:
        """Whether nothing more may be tried on this connection."""
        return self._tries >= TRIES

    async def judge(self, responses: Sequence[str], given: Answers) -> Answers | None:
        """Return `given` with these answers, or None when one is wrong; `why` then says which."""
        self._tries += 1
        why, answers = await self._judged(responses, given)
        self._why = "" if why is None else f"[psm] {why}"
        return answers if why is None else None

    @property
    def why(self) -> str:
        """What was wrong with the last answers."""
        return self._why

    async def _judged(
        self, responses: Sequence[str], answers: Answers
    ) -> tuple[str | None, Answers]:
        if len(responses) != len(self.missing):
            return "the client did not answer what it was asked", answers
        if self._ground.slowdown.closed(self._identity.name):
            return self.impossible, answers
        for step, response in zip(self.missing, responses, strict=True):
            said = response[:_LONGEST_ANSWER]
            match step:
                case Step.TICKET:
                    ticket = read_ticket(said, self._policy.ticket_pattern)
                    if ticket is None:
                        return "this is not the form of a ticket here; look it up", answers
                    answers = replace(answers, ticket=ticket)
                case Step.REASON:
                    reason = read_reason(said)
                    if reason is None:
                        return "a reason is needed; say what you are going to do", answers
                    answers = replace(answers, reason=reason)
                case Step.TOTP:
                    why = await self._code(said)
                    if why is not None:
                        return why, answers
        return None, replace(answers, steps=(*answers.steps, *self.missing))

    async def _code(self, code: str) -> str | None:
        """Return why the code does not let in, or None: then it is used up."""
        name, secret = self._identity.name, self._identity.totp
        if secret is None:
            return UNCHECKED
        # Counted before anything is waited for: a client that goes on at once has tried, too.
        self._ground.slowdown.wrong(name)
        try:
            step = await asyncio.to_thread(matching_step, secret, code, time.time())
            if step is None:
                return "the code is wrong; wait for the next one, and check the clock"
            async with asyncio.timeout(_STORE_S):
                fresh = await self._ground.store.call(
                    lambda store: store.used_codes.use(name, step)
                )
        except (CredentialError, StoreError, TimeoutError) as error:
            log.error("a code of %s can not be checked: %s", name, error)
            return UNCHECKED
        if not fresh:
            return "this code was used before; wait for the next one"
        self._ground.slowdown.right(name)
        return None
