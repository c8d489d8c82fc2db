"""The operator leg: one client's connection, from its first byte to its session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import asyncssh

from psm_console.domain.forwards import (
    Destination,
    ForwardAsked,
    ForwardRules,
    socket_destination,
    tcp_destination,
)
from psm_console.domain.inventory import Target
from psm_console.domain.names import AccountRef
from psm_console.domain.text import visible

from .channel.forward import NotForwardedError
from .channel.forward_halves import OperatorForwardHalf
from .channel.halves import OperatorHalf
from .entry.doorway import Doorway
from .entry.keyring import Proof
from .entry.login import FORM, LoginDesk
from .entry.outer import Outer
from .entry.second_step import Challenge
from .jump import ONE_DEEP, SSH_PORT, CarriedLeg, JumpGround, Jumps, unknown
from .session.driver import CrowdedError, SessionDriver
from .ssh.target import TargetRefusedError
from .visit.visit import VisitRefusedError
from .visit.visitors import Guest, Visitors

log = logging.getLogger(__name__)

_NO_WIRE: frozenset[str] = frozenset()


class RefusedError(Exception):
    """A session can not start; the text is a sentence for the operator."""


class LegGround(JumpGround, Protocol):
    """What an operator leg needs of the worker it runs in."""

    @property
    def doorway(self) -> Doorway:
        """Counts who is logging in."""

    @property
    def visitors(self) -> Visitors:
        """Receives who logged in without an account."""

    def arrived(self, leg: OperatorLeg) -> None:
        """Count a client's connection."""

    def left(self, leg: OperatorLeg) -> None:
        """Count a client's connection no more."""

    async def start_session(
        self, leg: OperatorLeg, proof: Proof, account: AccountRef
    ) -> SessionDriver:
        """Decide, and bring a session into being; raise `RefusedError` when it may not be."""


class OperatorLeg(CarriedLeg):
    """asyncssh's callbacks of one operator's connection, with `outer` of one inside another."""

    def __init__(self, worker: LegGround, outer: Outer | None = None) -> None:
        self._worker = worker
        self.outer = outer
        self._session: asyncio.Task[SessionDriver] | None = None
        """Begins it; kept when that fails, so that it is tried once."""
        self._begun: SessionDriver | None = None
        self._driver: SessionDriver | None = None
        self.connection: asyncssh.SSHServerConnection
        self.login: LoginDesk
        self.closed = False
        self._full = _NO_WIRE
        """Which wires take nothing more: our own, the outer connection's."""
        self._jumps = Jumps(worker)
        self._guest: Guest | None = None

    # Login

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        self._worker.arrived(self)
        self.login = LoginDesk(conn, self._worker, self.outer)
        if not self._worker.doorway.enter(self, self.login.peer, conn.abort):
            self._worker.refusals.stranger(
                "login.refuse", "-", f"from {self.login.peer}: too many are logging in"
            )
            conn.abort()

    def auth_completed(self) -> None:
        self._worker.doorway.leave(self)

    async def begin_auth(self, username: str) -> bool:
        await self.login.begin(username)
        return True

    def public_key_auth_supported(self) -> bool:
        return self.login.takes_keys

    def kbdint_auth_supported(self) -> bool:
        return self.login.asks_by_keyboard

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Challenge | bool:
        return self.login.challenge()

    async def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> Challenge | bool:
        return await self.login.answered(username, responses)

    def wire(self, full: bool) -> None:
        """The connection takes nothing more, or takes bytes again."""
        self._wire("own", full)

    def outer_wire(self, full: bool) -> None:
        """The same of the connection that carries this one."""
        self._wire("outer", full)

    def _wire(self, which: str, full: bool) -> None:
        self._full = self._full | {which} if full else self._full - {which} or _NO_WIRE
        self._jumps.wire(bool(self._full))
        if self._guest is not None:
            self._guest.wire(bool(self._full))
        if self._driver is not None:
            self._driver.operator_wire(bool(self._full))

    # Channels

    async def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        proof = self.login.proof
        if proof is not None and proof.login.account is None and self.outer is None:
            return await self._visit(proof)
        with _told():
            driver = await self._live()
            return OperatorHalf(driver.new_relay())

    async def _live(self) -> SessionDriver:
        """Return the connection's session, begun by the first channel that is asked for."""
        if self._begun is not None:
            return self._begun
        if self._session is None:
            self._session = asyncio.ensure_future(self._start())
        return await asyncio.shield(self._session)

    async def _visit(self, proof: Proof) -> asyncssh.SSHServerSession[bytes]:
        """Open the console, or what is asked for in its place, to an identity that came alone."""
        if self._guest is None:
            self._guest = self._worker.visitors.receive(self.connection, proof)
            self._guest.wire(bool(self._full))
        try:
            return OperatorHalf(await self._guest.new_visit())
        except VisitRefusedError as error:
            raise _prohibited(str(error)) from None

    async def _start(self) -> SessionDriver:
        proof = self.login.proof
        if proof is None:
            raise RefusedError("nobody is logged in")
        account = proof.login.account
        if account is None:
            raise RefusedError(f"{proof.login.operator} names no account; {FORM}")
        driver = await self._worker.start_session(self, proof, account)
        self._driver = driver
        driver.operator_wire(bool(self._full))
        if self.closed:
            driver.operator_lost(None)
        await driver.open_target()
        self._begun, self._session = driver, None
        return driver

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        proof = self.login.proof
        inside = self.outer is not None
        if proof is not None and not inside and self._jumps.leads(proof, dest_host, dest_port):
            peer = self.connection.get_extra_info("peername") or ("?", 0)
            return self._jumps.open(proof, (peer[0], peer[1]), dest_host, dest_port)
        target, destination = self._target(), tcp_destination(dest_host, dest_port)
        if target is not None and target.forwards and destination is not None:
            return self._forward(destination, f"{orig_host}:{orig_port}")
        refused = self.refused("port forwarding", f"to {dest_host}:{dest_port}")
        if dest_port == SSH_PORT:
            refused = _prohibited(ONE_DEEP if inside else unknown(dest_host))
        raise refused

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self.refused("remote port forwarding", f"from {listen_host}:{listen_port}")
        return False

    def unix_connection_requested(  # type: ignore[override]  # asyncssh awaits it
        self, dest_path: str
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        target, destination = self._target(), socket_destination(dest_path)
        if target is not None and target.forwards and destination is not None:
            return self._forward(destination, "a socket")
        raise self.refused("socket forwarding", f"to {dest_path}")

    def _target(self) -> Target | None:
        """Return the session's target as the inventory has it now; None without an account."""
        proof = self.login.proof
        account = None if proof is None else proof.login.account
        return None if account is None else self._worker.inventory.targets.get(account.target)

    async def _forward(
        self, destination: Destination, origin: str
    ) -> asyncssh.SSHTCPSession[bytes]:
        """Have the target connect to `destination`, for who says to be `origin`."""
        with _told():
            driver = await self._live()
            # What was listed when the connection was made may have been taken away since.
            rules = ForwardRules.of(self._target(), driver.policy.forwards.inner_ssh)
            asked = ForwardAsked(destination, visible(origin, 80), rules)
            return OperatorForwardHalf(await driver.open_forward(asked))

    def unix_server_requested(self, listen_path: str) -> bool:
        self.refused("remote socket forwarding", f"from {listen_path}")
        return False

    def tun_requested(self, unit: int | None) -> bool:
        raise self.refused("tunnelling", "tun")

    def tap_requested(self, unit: int | None) -> bool:
        raise self.refused("tunnelling", "tap")

    def refused(self, what: str, detail: str) -> asyncssh.ChannelOpenError:
        """Audit what the client asked for in vain; return the answer to it."""
        session = self._driver.session.id if self._driver else None
        self._worker.refusals.known("channel.refuse", self.login.who, f"{what} {detail}", session)
        return _prohibited(f"{what} is not available through this broker")

    # The end

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._worker.left(self)
        self._worker.doorway.leave(self)
        self.login.left()
        if self._guest is not None:
            self._guest.lost()
        if self._driver is not None:
            self._driver.operator_lost(exc)


@contextmanager
def _told() -> Iterator[None]:
    """Answer the client, in SSH's own way, why a channel does not open."""
    failed = asyncssh.OPEN_CONNECT_FAILED
    try:
        yield
    except RefusedError as error:
        raise _prohibited(str(error)) from None
    except TargetRefusedError as error:
        raise asyncssh.ChannelOpenError(failed, str(error)) from None
    except CrowdedError as error:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, str(error)) from None
    except NotForwardedError as error:
        if error.forbidden:
            raise _prohibited(str(error)) from None
        raise asyncssh.ChannelOpenError(failed, str(error)) from None


def _prohibited(reason: str) -> asyncssh.ChannelOpenError:
    return asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, reason)
