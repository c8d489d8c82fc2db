"""The operator leg: one client's connection, from its first byte to its session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.public_key import decode_ssh_public_key

from psm_console.domain.names import Login
from psm_console.domain.text import visible

from .authentication import Proof
from .driver import CrowdedError
from .halves import OperatorHalf
from .target import TargetRefusedError

if TYPE_CHECKING:
    from .driver import SessionDriver
    from .worker import Worker

log = logging.getLogger(__name__)

_FORM = "log in as OPERATOR+ACCOUNT@TARGET, for example ana+root@db1"


class RefusedError(Exception):
    """A session can not start; the text is a sentence for the operator."""


class OperatorLeg(asyncssh.SSHServer):
    """asyncssh's callbacks of one operator's connection."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._proof: Proof | None = None
        self._login: Login | None = None
        self._user = ""
        self._offered: list[str] = []
        self._explained = False
        self._session: asyncio.Task[SessionDriver] | None = None
        self._driver: SessionDriver | None = None
        self.connection: asyncssh.SSHServerConnection
        self.closed = False
        self._full = False

    # Authentication

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        if not self._worker.doorway.enter(self, self._peer(), conn.abort):
            self._worker.refusals.stranger(
                "login.refuse", "-", f"from {self._peer()}: too many are logging in"
            )
            conn.abort()

    def auth_completed(self) -> None:
        self._worker.doorway.leave(self)

    def _peer(self) -> str:
        address: str = (self.connection.get_extra_info("peername") or ("?",))[0]
        return address

    async def begin_auth(self, username: str) -> bool:
        # A key that was just removed must not open anything because a bell is still ringing.
        await self._worker.refresh_inventory()
        self._user = username
        self._login = Login.parse(username)
        self.connection.send_auth_banner(f"{self._worker.policy.notice}\r\n")
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Say whether `key` could prove who this is. It is only offered: nothing is bound here."""
        login = Login.parse(username)
        if login is not None and self._worker.keyring.owner(login, key.public_data) is not None:
            return True
        self._offered.append(key.get_fingerprint())
        return False

    def key_proved(self, username: str, key_data: bytes) -> None:
        """Bind the identity: the signature of this key was checked for this user name."""
        login = Login.parse(username)
        key = decode_ssh_public_key(key_data)
        owner = login and self._worker.keyring.owner(login, key.public_data)
        self._proof = Proof(owner, login, key.public_data) if login and owner else None

    def wire(self, full: bool) -> None:
        """The connection takes nothing more, or takes bytes again."""
        self._full = full
        if self._driver is not None:
            self._driver.operator_wire(full)

    def kbdint_auth_supported(self) -> bool:
        """Offered to nobody as a way in: it is how OpenSSH can be shown a sentence."""
        return not self._explained

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]] | bool:
        if self._explained:
            return False
        self._explained = True
        return "", self._explanation(), "", []

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return False

    def _explanation(self) -> str:
        if self._login is None:
            return f"[psm] this user name asks for nothing that exists here: {_FORM}"
        if not self._offered:
            return "[psm] no key was offered; log in with the key that an admin has added for you"
        keys = " ".join(self._offered[:3])
        return f"[psm] no key offered is known for this name; ask an admin to add one of: {keys}"

    # Channels

    async def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        if self._session is None:
            self._session = asyncio.ensure_future(self._start())
        try:
            driver = await asyncio.shield(self._session)
            half: asyncssh.SSHServerSession[bytes] = OperatorHalf(driver.new_relay())
        except RefusedError as error:
            raise _prohibited(str(error)) from None
        except TargetRefusedError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
        except CrowdedError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, str(error)) from None
        return half

    async def _start(self) -> SessionDriver:
        if self._proof is None:
            raise RefusedError("nobody is logged in")
        login = self._proof.login
        if login.account is None:
            raise RefusedError(f"{login.operator} names no account; {_FORM}")
        driver = await self._worker.start_session(self, self._proof, login.account)
        self._driver = driver
        driver.operator_wire(self._full)
        if self.closed:
            driver.operator_lost(None)
        await driver.open_target()
        return driver

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        raise self.refused("port forwarding", f"to {dest_host}:{dest_port}")

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self.refused("remote port forwarding", f"from {listen_host}:{listen_port}")
        return False

    def unix_connection_requested(self, dest_path: str) -> bool:
        raise self.refused("socket forwarding", f"to {dest_path}")

    def unix_server_requested(self, listen_path: str) -> bool:
        self.refused("remote socket forwarding", f"from {listen_path}")
        return False

    def tun_requested(self, unit: int | None) -> bool:
        raise self.refused("tunnelling", "tun")

    def tap_requested(self, unit: int | None) -> bool:
        raise self.refused("tunnelling", "tap")

    def refused(self, what: str, detail: str) -> asyncssh.ChannelOpenError:
        """Audit what the client asked for in vain; return the answer to it."""
        who = self._proof.identity.name if self._proof else visible(self._user, 64)
        session = self._driver.session.id if self._driver else None
        self._worker.refusals.known("channel.refuse", who, f"{what} {detail}", session)
        return _prohibited(f"{what} is not available through this broker")

    # The end

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._worker.doorway.leave(self)
        if self._proof is None and self._user:
            offered = ", ".join(self._offered[:8]) or "no key"
            self._worker.refusals.stranger(
                "login.refuse", visible(self._user, 64), f"from {self._peer()}, offered {offered}"
            )
        if self._driver is not None:
            self._driver.operator_lost(exc)


def _prohibited(reason: str) -> asyncssh.ChannelOpenError:
    return asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, reason)
