"""The login of one client: which key proved whom, and what is said to who proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import asyncssh

from psm_console.credentials import PublicKey
from psm_console.domain.names import Login
from psm_console.domain.policy import Policy
from psm_console.domain.second_step import Answers
from psm_console.domain.text import visible

from .attendance import Attendance
from .keyring import Keyring, Proof
from .outer import INNER_FORM, Outer
from .proving import Prover, Unfit, find_prover, unattested
from .refusals import RefusalLog
from .second_step import Challenge, SecondStep, StepGround
from .signature import Attested

FORM = "log in as OPERATOR+ACCOUNT@TARGET, for example ana+root@db1"
_NAMES = 3
"""User names that one connection may claim, one after the other."""
_OFFERS = 20
"""Keys that one connection may offer; an agent holds fewer."""
_TOLD = 3


class LoginGround(StepGround, Protocol):
    """What a login is decided on; the worker has it."""

    @property
    def keyring(self) -> Keyring:
        """The keys that prove somebody now."""

    @property
    def policy(self) -> Policy:
        """What holds for sessions that start now."""

    @property
    def refusals(self) -> RefusalLog:
        """Has the audit log learn of refusals."""

    @property
    def attendance(self) -> Attendance:
        """Counts the connections of each identity."""

    def audit(self, action: str, actor: str, detail: str) -> None:
        """Append to the audit log without waiting for it."""

    async def refresh_inventory(self) -> None:
        """Learn of keys that were added or taken away."""


class LoginDesk:
    """Takes what a client offers until it has proved somebody. Nothing is bound to an offer.

    Inside an `outer` connection only its identity can be proved, by any of that identity's keys,
    and what was answered there is not asked again.
    """

    def __init__(
        self,
        connection: asyncssh.SSHServerConnection,
        ground: LoginGround,
        outer: Outer | None = None,
    ) -> None:
        self._connection = connection
        self._ground = ground
        self._outer = outer
        self.peer = _address(connection) if outer is None else outer.peer[0]
        """The client's address, kept for when it is gone; inside another connection, that one's."""
        self.user = ""
        self.proof: Proof | None = None
        """Whom a signature has proved; they are in only once `complete`."""
        self._step: SecondStep | None = None
        self._login: Login | None = None
        self._offered: list[str] = []
        self._names = 0
        self._told = 0
        self._explained = False
        self._counted = False
        self._turned_away = False

    @property
    def who(self) -> str:
        """The proved identity's name, or else the user name that was claimed."""
        return self.proof.identity.name if self.proof else visible(self.user, 64)

    # The first step: a key

    async def begin(self, username: str) -> None:
        """Take the user name; say what everybody who logs in is told.

        All that another name had proved is forgotten first (RFC 4252 5).
        """
        self.proof = self._step = None
        self.user = username
        self._login = self._read(username)
        self._names += 1
        if self._names > _NAMES:
            raise _enough("too many user names on one connection; log in again with one")
        # A key that was just removed must not open anything because a bell is still ringing.
        await self._ground.refresh_inventory()
        self._connection.send_auth_banner(f"{self._ground.policy.notice}\r\n")

    @property
    def takes_keys(self) -> bool:
        """Whether a key is what is wanted now."""
        return self.proof is None

    def may_prove(self, username: str, blob: bytes) -> bytes | None:
        """Return the key (wire form) whose signature would prove who this is, or None.

        `blob` is a public key or certificate that is only offered: nothing is bound here.
        """
        found = self._prover(username, blob)
        return None if found is None else found.offer.key

    def key_proved(self, username: str, blob: bytes, attested: Attested) -> bool:
        """Bind the identity: the signature of this key was checked for this user name.

        Everything is derived again from what was signed. False when the login ends here anyway.
        """
        found = self._prover(username, blob)
        if found is None or username != self.user:
            return False
        identity, offer = found.identity, found.offer
        why = unattested(self._ground, found, attested)
        if why is None:
            given = Answers() if self._outer is None else self._outer.proof.answers
            proof = Proof(identity, found.login, offer, given)
            keyring, policy = self._ground.keyring, self._ground.policy.login
            step = SecondStep(self._ground, policy, keyring, proof)
            why = step.impossible
        if why is not None:
            self._tell(why)
            self._ground.refusals.known(
                "login.refuse", identity.name, f"from {self.peer} by {offer.how}: {why}"
            )
            return False
        self.proof, self._step = proof, step if step.missing else None
        if self._step is not None:
            self._connection.send_auth_banner(f"{self._step.notice}\r\n")
        return True

    async def refused_key(self, blob: bytes) -> None:
        """Note an offer that proves nobody; its answer waits as long as the failures before say."""
        if len(self._offered) < _OFFERS:
            self._offered.append(PublicKey("", blob).fingerprint)
        await asyncio.sleep(self._ground.slowdown.delay_s(self.peer, self.user))
        if self._ground.slowdown.locked(self.peer):
            raise _enough(
                "too many logins from your address have failed; wait some minutes, or offer only "
                "the key that is known here (ssh -o IdentitiesOnly=yes -i KEY)"
            )
        if len(self._offered) >= _OFFERS:
            raise _enough(
                "too many keys were offered; offer only the one that is known here "
                "(ssh -o IdentitiesOnly=yes -i KEY)"
            )

    def _prover(self, username: str, blob: bytes) -> Prover | None:
        """Return whom this key or certificate could prove; say so where it is known and unfit."""
        login = self._read(username)
        found = None if login is None else find_prover(self._ground, login, blob, self.peer)
        if isinstance(found, Unfit):
            self._tell(found.why)
            return None
        return found

    def _read(self, username: str) -> Login | None:
        """Return what the user name asks for."""
        return Login.parse(username) if self._outer is None else self._outer.login(username)

    # The second step, and what is said to who fails

    @property
    def asks_by_keyboard(self) -> bool:
        """After the key the second step is asked so; before, nobody gets in by it.

        Then it is how OpenSSH can be shown a sentence.
        """
        return self._step is not None if self.proof is not None else not self._explained

    def challenge(self) -> Challenge | bool:
        """Return what the client is asked, or False when there is no more to say."""
        if self._step is not None:
            return self._step.challenge()
        if self._explained or self.proof is not None:
            return False
        self._explained = True
        return "", self._explanation(), "", []

    async def answered(self, username: str, responses: Sequence[str]) -> Challenge | bool:
        """Take the client's answers; return whether they let it in, or what is asked again."""
        proof, step = self.proof, self._step
        if proof is None or step is None or username != self.user:
            return False
        answers = await step.judge(responses, proof.answers)
        if self.proof is not proof or self._step is not step:
            # Another name was claimed meanwhile: this was an answer for somebody else.
            return False
        if answers is not None:
            self.proof, self._step = replace(proof, answers=answers), None
            return True
        why = step.why
        self._ground.refusals.known(
            "login.refuse", self.who, f"from {self.peer}, second step: {why}"
        )
        if step.spent:
            self._turned_away = True
            raise _enough(f"{why}; that was the last try, log in again".removeprefix("[psm] "))
        return step.challenge()

    def _tell(self, why: str) -> None:
        """Say at once what is wrong with a key; clients that can not be asked read it too."""
        if self._told < _TOLD:
            self._told += 1
            self._explained = True
            self._connection.send_auth_banner(f"[psm] {why}\r\n")

    def _explanation(self) -> str:
        if self._login is None:
            form = FORM if self._outer is None else INNER_FORM
            return f"[psm] this user name asks for nothing that exists here: {form}"
        if not self._offered:
            return "[psm] no key was offered; log in with the key that an admin has added for you"
        keys = " ".join(self._offered[:3])
        return f"[psm] no key offered is known for this name; ask an admin to add one of: {keys}"

    # In, or gone

    def complete(self, username: str) -> bool:
        """Whether whoever claims `username` has proved and answered all that is asked."""
        return self.proof is not None and self._step is None and username == self.user

    def enter(self) -> None:
        """Count the connection and note the login; raise DisconnectError where it is one too many.

        Called when `complete`, before the client is told so.
        """
        proof = self.proof
        assert proof is not None
        name, most = proof.identity.name, self._ground.policy.limits.connections
        if not self._ground.attendance.enter(name, most):
            why = f"{name} has {most} connections open, and that is the limit; close one first"
            self._turned_away = True
            self._ground.refusals.known("login.refuse", name, f"from {self.peer}: {why}")
            raise asyncssh.DisconnectError(asyncssh.DISC_TOO_MANY_CONNECTIONS, f"[psm] {why}")
        self._counted = True
        asked = ", ".join(proof.answers.steps)
        then = f", then {asked}" if asked else ""
        self._ground.audit("login.accept", name, f"from {self.peer} by {proof.offer.how}{then}")

    def left(self) -> None:
        """Have the audit log learn of a client that came in vain."""
        if self._counted and self.proof is not None:
            self._counted = False
            self._ground.attendance.leave(self.proof.identity.name)
            return
        if self.proof is not None:
            if not self._turned_away:
                self._ground.refusals.known(
                    "login.refuse", self.who, f"from {self.peer}: left without the second step"
                )
            return
        if not (self.user or self._offered or self._explained):
            return
        self._ground.slowdown.failed(self.peer, self.user)
        offered = ", ".join(self._offered[:8]) or "no key"
        inside = ""
        if self._outer is not None:
            who, to = self._outer.proof.identity.name, self._outer.target
            inside = f" inside the connection of {who} to {to}"
        self._ground.refusals.stranger(
            "login.refuse", self.who, f"from {self.peer}{inside}, offered {offered}"
        )


def _address(connection: asyncssh.SSHServerConnection) -> str:
    address: str = (connection.get_extra_info("peername") or ("?",))[0]
    return address


def _enough(why: str) -> asyncssh.DisconnectError:
    return asyncssh.DisconnectError(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, f"[psm] {why}")
