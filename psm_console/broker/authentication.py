"""Who the operator is: bound once, from the key whose signature was checked."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import asyncssh
from asyncssh.constants import MSG_CHANNEL_OPEN
from asyncssh.packet import SSHPacket

from psm_console.domain.inventory import Identity, Inventory
from psm_console.domain.names import Login
from psm_console.domain.text import visible

from .operator_channel import OperatorChannel
from .wire import widen

log = logging.getLogger(__name__)

_ANSWERED = frozenset(
    {b"session", b"direct-tcpip", b"direct-streamlocal@openssh.com", b"tun@openssh.com"}
)
"""Types of channel whose own answer is audited where it is given."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody is, under which login, and by which public key (SSH wire form)."""

    identity: Identity
    login: Login
    key: bytes


@runtime_checkable
class ProvedBy(Protocol):
    """The owner of a connection, who is told which key proved itself."""

    def key_proved(self, username: str, key_data: bytes) -> None:
        """Bind the identity to `key_data` (SSH wire form) for `username`."""

    def wire(self, full: bool) -> None:
        """Learn whether the connection takes nothing more, or takes bytes again."""

    def refused(self, what: str, detail: str) -> object:
        """Have the audit log learn that the client was refused `what`."""


class OperatorConnection(asyncssh.SSHServerConnection):
    """A server connection that says which key proved itself.

    `SSHServer.validate_public_key` is called for keys that are merely offered. A server that notes
    the identity there logs an attacker in as the owner of any public key (CVE-2024-45337), so the
    key is handed on here, after the signature was verified.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let more wait for the kernel than asyncio would."""
        super().connection_made(transport)
        widen(self)

    def pause_writing(self) -> None:
        """The client takes nothing more at the moment."""
        self._tell(full=True)

    def resume_writing(self) -> None:
        """The client takes what is written again."""
        self._tell(full=False)

    def _send_kexinit(self) -> None:
        # Until the client has answered, asyncssh keeps all that is written, without a bound.
        super()._send_kexinit()
        self._tell(full=True)

    def _send_deferred_packets(self) -> None:
        super()._send_deferred_packets()
        self._tell(full=False)

    def create_server_channel(
        self, encoding: str | None = "", errors: str = "", window: int = 0, max_pktsize: int = 0
    ) -> asyncssh.SSHServerChannel[bytes]:
        """Make a channel that takes any command, and no variables without end."""
        channel = super().create_server_channel(encoding, errors, window, max_pktsize)
        # The same object with other methods: asyncssh has no way to be given a class.
        channel.__class__ = OperatorChannel
        assert isinstance(channel, OperatorChannel)
        channel.confine()
        return channel

    def _process_channel_open(self, kind: int, number: int, packet: SSHPacket) -> None:
        """Have it known when somebody asks for a channel that nobody here has an answer for."""
        asked = packet.get_remaining_payload()
        name = asked[4 : 4 + int.from_bytes(asked[:4], "big")]
        if name not in _ANSWERED:
            self._refuse(f"a channel of type {visible(name.decode('ascii', 'replace'), 64)}")
        super()._process_channel_open(kind, number, packet)

    # Handlers of packets are found in a table, not by their names.
    _packet_handlers: ClassVar = {
        **asyncssh.SSHServerConnection._packet_handlers,
        MSG_CHANNEL_OPEN: _process_channel_open,
    }

    async def create_agent_listener(self) -> bool:
        """Refuse to forward an agent, and have it known that somebody asked."""
        self._refuse("agent forwarding", "asked for in a channel")
        return False

    async def attach_x11_listener(
        self, chan: object, auth_proto: bytes, auth_data: bytes, screen: int
    ) -> str | None:
        """Refuse to forward X11, and have it known that somebody asked."""
        self._refuse("X11 forwarding", "asked for in a channel")
        return None

    def _refuse(self, what: str, detail: str = "") -> None:
        owner = self.get_owner()
        if isinstance(owner, ProvedBy):
            owner.refused(what, detail)

    def _tell(self, *, full: bool) -> None:
        owner = self.get_owner()
        if isinstance(owner, ProvedBy):
            owner.wire(full)

    async def validate_public_key(
        self, username: str, key_data: bytes, msg: bytes, signature: bytes
    ) -> bool:
        """Check the key, and where a signature came with it, tell the owner that it holds."""
        good = await super().validate_public_key(username, key_data, msg, signature)
        if good and msg:
            owner = self.get_owner()
            assert isinstance(owner, ProvedBy)
            owner.key_proved(username, key_data)
        return good


class Keyring:
    """The public keys of an inventory, by their wire form."""

    def __init__(self, inventory: Inventory) -> None:
        self._owners: dict[bytes, list[Identity]] = {}
        for identity in inventory.identities.values():
            for line in identity.keys:
                try:
                    data = asyncssh.import_public_key(line).public_data
                except ValueError:
                    # One bad line must not lock everybody out: it lets nobody in, that is all.
                    log.error("a key of %s can not be read and opens nothing", identity.name)
                    continue
                self._owners.setdefault(data, []).append(identity)

    def holds(self, proof: Proof) -> bool:
        """Whether the key that proved somebody still does."""
        owner = self.owner(proof.login, proof.key)
        return owner is not None and owner.name == proof.identity.name

    def owner(self, login: Login, key: bytes) -> Identity | None:
        """Return whom `key` proves for `login`, or None.

        Where the login names nobody, the key must belong to one identity only: a key shared by two
        names neither.
        """
        owners = self._owners.get(key, [])
        if login.operator is not None:
            return next((owner for owner in owners if owner.name == login.operator), None)
        return owners[0] if len(owners) == 1 else None
