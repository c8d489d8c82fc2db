"""The login of one client: which key proved whom, and what is said to who proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import asyncssh
from asyncssh.public_key import decode_ssh_public_key

from psm_console.domain.names import Login
from psm_console.domain.policy import Policy
from psm_console.domain.text import visible

from .authentication import Keyring, Proof
from .outer import INNER_FORM, Outer
from .refusals import RefusalLog

FORM = "log in as OPERATOR+ACCOUNT@TARGET, for example ana+root@db1"


class LoginGround(Protocol):
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

    async def refresh_inventory(self) -> None:
        """Learn of keys that were added or taken away."""


class LoginDesk:
    """Takes what a client offers until it has proved somebody. Nothing is bound to an offer.

    Inside an `outer` connection only its identity can be proved, by any of that identity's keys.
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
        self.user = ""
        self.proof: Proof | None = None
        self._login: Login | None = None
        self._offered: list[str] = []
        self._explained = False

    @property
    def peer(self) -> str:
        """The client's address; inside another connection, that one's."""
        if self._outer is not None:
            return self._outer.peer[0]
        address: str = (self._connection.get_extra_info("peername") or ("?",))[0]
        return address

    @property
    def who(self) -> str:
        """The proved identity's name, or else the user name that was claimed."""
        return self.proof.identity.name if self.proof else visible(self.user, 64)

    async def begin(self, username: str) -> None:
        """Take the user name; say what everybody who logs in is told."""
        # A key that was just removed must not open anything because a bell is still ringing.
        await self._ground.refresh_inventory()
        self.user = username
        self._login = self._read(username)
        self._connection.send_auth_banner(f"{self._ground.policy.notice}\r\n")

    def may_prove(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Say whether `key` could prove who this is. It is only offered: nothing is bound here."""
        login = self._read(username)
        if login is not None and self._ground.keyring.owner(login, key.public_data) is not None:
            return True
        self._offered.append(key.get_fingerprint())
        return False

    def key_proved(self, username: str, key_data: bytes) -> None:
        """Bind the identity: the signature of this key was checked for this user name."""
        login = self._read(username)
        key = decode_ssh_public_key(key_data)
        owner = login and self._ground.keyring.owner(login, key.public_data)
        self.proof = Proof(owner, login, key.public_data) if login and owner else None

    def _read(self, username: str) -> Login | None:
        """Return what the user name asks for."""
        return Login.parse(username) if self._outer is None else self._outer.login(username)

    @property
    def asks_by_keyboard(self) -> bool:
        """Offered to nobody as a way in: it is how OpenSSH can be shown a sentence."""
        return not self._explained

    def challenge(self) -> tuple[str, str, str, list[tuple[str, bool]]] | bool:
        """Return what the client is asked, or False when there is no more to say."""
        if self._explained:
            return False
        self._explained = True
        return "", self._explanation(), "", []

    def answered(self, responses: Sequence[str]) -> bool:
        """Take the client's answers; say whether they let it in."""
        return False

    def _explanation(self) -> str:
        if self._login is None:
            form = FORM if self._outer is None else INNER_FORM
            return f"[psm] this user name asks for nothing that exists here: {form}"
        if not self._offered:
            return "[psm] no key was offered; log in with the key that an admin has added for you"
        keys = " ".join(self._offered[:3])
        return f"[psm] no key offered is known for this name; ask an admin to add one of: {keys}"

    def left(self) -> None:
        """Have the audit log learn of a client that came in vain."""
        if self.proof is None and self.user:
            offered = ", ".join(self._offered[:8]) or "no key"
            inside = ""
            if self._outer is not None:
                who, to = self._outer.proof.identity.name, self._outer.target
                inside = f" inside the connection of {who} to {to}"
            self._ground.refusals.stranger(
                "login.refuse", self.who, f"from {self.peer}{inside}, offered {offered}"
            )
