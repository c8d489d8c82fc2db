"""Inner connections: `ssh -J broker root@db1` ends in the broker, not at the target.

What a client takes for a TCP connection to the target is a channel of its connection to the broker,
the outer one. An SSH connection of ours answers in it, in the target's name and under a key of that
name alone; what happens inside is a session as any other. The outer one only carries it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol, cast

import asyncssh

from psm_console.credentials import HostCa
from psm_console.domain.access import may_reach
from psm_console.domain.inventory import Inventory
from psm_console.domain.text import visible

from .channel.halves import give
from .entry.authentication import OperatorConnection
from .entry.keyring import Proof
from .entry.login import LoginGround
from .entry.moment import utc_now
from .entry.outer import Outer, Peer
from .ssh.operator_options import operator_options

log = logging.getLogger(__name__)

SSH_PORT = 22
ONE_DEEP = (
    "an inner connection leads no further; jump to each target from the broker itself, for "
    "example ssh -J broker root@db1"
)


class CarriedLeg(asyncssh.SSHServer):
    """The callbacks of a connection that another one may carry."""

    def outer_wire(self, full: bool) -> None:
        """The outer connection takes nothing more, or takes bytes again."""


class JumpGround(LoginGround, Protocol):
    """What inner connections need of the worker they run in."""

    @property
    def inventory(self) -> Inventory:
        """The newest that could be read."""

    @property
    def host_ca(self) -> HostCa:
        """Vouches for the broker in the targets' names."""

    def inner_leg(self, outer: Outer) -> CarriedLeg:
        """Return the owner of a new connection inside `outer`."""


class InnerConnection(OperatorConnection):
    """An operator's connection whose wire is a channel of the outer one."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHServerConnectionOptions,
        outer: Outer,
    ) -> None:
        super().__init__(loop, options, None, None)
        self._outer = outer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer under the client's real address, not the channel's empty one."""
        assert isinstance(transport, asyncssh.SSHTCPChannel)
        transport.set_extra_info(peername=self._outer.peer)
        self.set_extra_info(peername=self._outer.peer)
        self._channel = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None = None) -> None:
        """Take the channel's end, or the outer connection's, as the client's leaving.

        `ssh -J` cuts the outer connection as soon as the inner one has done its work.
        """
        if self._channel.is_closing():
            self._force_close(None)
        else:
            super().connection_lost(exc)

    def _hand_over(self, data: bytes) -> None:
        if self._transport is not None:
            give(self._channel, data)


class Jumps:
    """The inner connections of one outer."""

    def __init__(self, ground: JumpGround) -> None:
        self._ground = ground
        self._inner: dict[InnerConnection, CarriedLeg] = {}
        self._opening = 0
        self._full = False

    def leads(self, proof: Proof, host: str, port: int) -> bool:
        """Whether host and port name a target that who proved themselves may reach.

        Only the inventory's spelling does: no alias of the name or the address, or one target
        would have several host keys and rules. A name that exists but may not be reached is as
        unknown, so that the inventory can not be listed by trying names.
        """
        target = self._ground.inventory.targets.get(host)
        if target is None or port not in (SSH_PORT, target.port):
            return False
        return may_reach(proof.identity.name, host, self._ground.inventory, utc_now())

    async def open(
        self, proof: Proof, peer: Peer, host: str, port: int
    ) -> asyncssh.SSHTCPSession[bytes]:
        """Return the connection that answers as the target `host`; raise ChannelOpenError.

        `peer` is where the outer connection comes from.
        """
        most = self._ground.policy.limits.channels
        self._inner = {one: leg for one, leg in self._inner.items() if not one.is_closed()}
        if len(self._inner) + self._opening >= most:
            raise self._refuse(
                proof,
                asyncssh.OPEN_RESOURCE_SHORTAGE,
                f"{most} connections are open through this one, and that is the limit",
            )
        self._opening += 1
        try:
            inner = await self._open(proof, peer, host, port)
        finally:
            self._opening -= 1
        # A connection takes the callbacks of a channel's session as it takes those of a socket.
        return cast("asyncssh.SSHTCPSession[bytes]", inner)

    async def _open(self, proof: Proof, peer: Peer, host: str, port: int) -> InnerConnection:
        # The outer login may be hours old: key and grant may have been taken away since.
        await self._ground.refresh_inventory()
        holds = self._ground.keyring.holds(proof) and not proof.expired(utc_now())
        if not holds or not self.leads(proof, host, port):
            raise self._refuse(proof, asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, unknown(host))
        try:
            shown = await asyncio.to_thread(self._ground.host_ca.identity, host)
        except Exception as error:
            # Raised further it would end the outer connection with every session in it.
            log.error("nobody can vouch for %s: %s", host, error)
            raise self._refuse(
                proof,
                asyncssh.OPEN_CONNECT_FAILED,
                f"the broker can not answer for {host} now; an admin must look at its host CA",
            ) from None
        outer = Outer(proof, peer, host)
        leg = self._ground.inner_leg(outer)
        leg.outer_wire(self._full)
        options = operator_options(lambda: leg, (shown.key, shown.certificate))
        # dropbear guesses the first of the list to be the plain key, and leaves where it is wrong.
        options.server_host_keys.move_to_end(shown.certificate.algorithm)
        inner = InnerConnection(asyncio.get_running_loop(), options, outer)
        self._inner[inner] = leg
        return inner

    def wire(self, full: bool) -> None:
        """The outer connection takes nothing more, or takes bytes again."""
        self._full = full
        for leg in self._inner.values():
            leg.outer_wire(full)

    def _refuse(self, proof: Proof, code: int, why: str) -> asyncssh.ChannelOpenError:
        self._ground.refusals.known("channel.refuse", proof.identity.name, why)
        return asyncssh.ChannelOpenError(code, why)


def unknown(host: str) -> str:
    """Say that `host` leads nowhere, whether it exists or not."""
    return (
        f"there is no target {visible(host, 64)} that you may reach; name it exactly as it is in "
        "the inventory, or ask for access to it"
    )
