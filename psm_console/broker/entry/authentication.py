"""Who the operator is: bound once, from the key whose signature was checked."""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar, Protocol, runtime_checkable

import asyncssh
from asyncssh.constants import MSG_CHANNEL_OPEN
from asyncssh.logging import SSHLogger
from asyncssh.misc import OptExcInfo
from asyncssh.packet import PacketDecodeError, SSHPacket, String

from psm_console.domain.text import visible

from ..ssh.choosing import ChoosyConnection
from ..ssh.operator_channel import OperatorChannel
from ..ssh.packet_path import PacketPath
from ..ssh.slimming import SlimConnection, slim, slim_channel
from ..ssh.wire import widen
from .keyring import Proof
from .signature import Attested, check_signature, said_user

_WRITTEN_FOR = (2, 24)
if tuple(int(part) for part in asyncssh.__version__.split(".")[:2]) != _WRITTEN_FOR:
    # Its authentication steps are overridden below, and older ones have known holes.
    raise ImportError(f"asyncssh 2.24 is needed, this is {asyncssh.__version__}; reinstall psm")

SECOND_STEP_S = 90.0
"""How long the second step may take after the key."""
_UNHEARD = 1 << 20
"""Bytes from a client that is not let in yet that may wait; four of the largest packets."""

_SMALLEST_PACKET = 1024
"""Of the largest packets that a client takes on a channel. One that asked for single bytes would
have each write made into thousands of packets, and everybody else wait for that."""
_ANSWERED = frozenset(
    {b"session", b"direct-tcpip", b"direct-streamlocal@openssh.com", b"tun@openssh.com"}
)
"""Types of channel whose own answer is audited where it is given."""


class Desk(Protocol):
    """Decides who is let in; `blob`s are keys and certificates in their SSH wire form."""

    @property
    def proof(self) -> Proof | None:
        """Whom a signature has proved."""

    def may_prove(self, username: str, blob: bytes) -> bytes | None:
        """Return the key whose signature would prove who this is, or None."""

    def key_proved(self, username: str, blob: bytes, attested: Attested) -> bool:
        """Bind the identity to a key whose signature was checked; False when that is not enough."""

    async def refused_key(self, blob: bytes) -> None:
        """Note an offer that proves nobody; return once it may be answered."""

    def complete(self, username: str) -> bool:
        """Whether whoever claims `username` has proved and answered all that is asked."""

    def enter(self) -> None:
        """Note the login; raise DisconnectError where it is one too many."""


@runtime_checkable
class ProvedBy(Protocol):
    """The owner of a connection."""

    @property
    def login(self) -> Desk:
        """Who decides whether its client is let in."""

    def wire(self, full: bool) -> None:
        """Learn whether the connection takes nothing more, or takes bytes again."""

    def refused(self, what: str, detail: str) -> object:
        """Have the audit log learn that the client was refused `what`."""


class OperatorConnection(SlimConnection, PacketPath, ChoosyConnection):
    """A server connection that says which key proved itself.

    `SSHServer.validate_public_key` is called for keys that are merely offered. A server that notes
    the identity there logs an attacker in as the owner of any public key (CVE-2024-45337), so the
    key is handed on here, after the signature was verified.
    """

    _extended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let more wait for the kernel than asyncio would."""
        super().connection_made(transport)
        widen(self)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Take bytes; of somebody who is not let in yet, only so many that wait.

        While a login is looked up asyncssh reads on and keeps what comes, without a bound.
        """
        super().data_received(data, datatype)
        if len(self._inpbuf) > _UNHEARD and not self._auth_complete:
            self.abort()

    def internal_error(
        self, exc_info: OptExcInfo | None = None, error_logger: SSHLogger | None = None
    ) -> None:
        """Cut the connection; of packets that make no sense, without a traceback in our log.

        Strangers can send those by the thousand, also while their connection is being cut.
        """
        error = (exc_info or sys.exc_info())[1]
        gone = self._owner is None and isinstance(error, AttributeError)
        if gone or isinstance(error, PacketDecodeError):
            self._force_close(asyncssh.ProtocolError(str(error)))
        else:
            super().internal_error(exc_info, error_logger)

    def create_server_channel(
        self, encoding: str | None = "", errors: str = "", window: int = 0, max_pktsize: int = 0
    ) -> asyncssh.SSHServerChannel[bytes]:
        """Make a channel that takes any command, and no variables without end."""
        channel = super().create_server_channel(encoding, errors, window, max_pktsize)
        # The same object with other methods: asyncssh has no way to be given a class.
        channel.__class__ = OperatorChannel
        assert isinstance(channel, OperatorChannel)
        channel.confine()
        slim_channel(channel)
        return channel

    def _process_channel_open(self, kind: int, number: int, packet: SSHPacket) -> None:
        """Have it known when somebody asks for a channel that nobody here has an answer for."""
        asked = packet.get_remaining_payload()
        name = asked[4 : 4 + int.from_bytes(asked[:4], "big")]
        if name not in _ANSWERED:
            self._refuse(f"a channel of type {visible(name.decode('ascii', 'replace'), 64)}")
        sender, largest = (asked[4 + len(name) + at :][:4] for at in (0, 8))
        if len(largest) == 4 and int.from_bytes(largest, "big") < _SMALLEST_PACKET:
            self._refuse("a channel", f"in packets below {_SMALLEST_PACKET} bytes")
            why = f"packets below {_SMALLEST_PACKET} bytes are not served; use an ordinary client"
            code = asyncssh.OPEN_RESOURCE_SHORTAGE
            self.send_channel_open_failure(int.from_bytes(sender, "big"), code, why, "en")
            return
        super()._process_channel_open(kind, number, packet)

    # Handlers of packets are found in a table, not by their names.
    _packet_handlers: ClassVar = {  # type: ignore[misc]
        **ChoosyConnection._packet_handlers,
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

    def wire(self, full: bool) -> None:
        """Tell the owner whether the client takes what is written."""
        owner = self.get_owner()
        if isinstance(owner, ProvedBy):
            owner.wire(full)

    async def reload_config(self) -> None:
        """Leave the options as they are: there is no configuration that could match a user's name.

        asyncssh would make all of them anew for each login, and keep them for each connection.
        """

    # Authentication. Nothing of asyncssh decides here: it takes certificates without principals,
    # knows nothing of verified users, and makes keys of whatever strangers send.

    async def validate_public_key(
        self, username: str, key_data: bytes, msg: bytes, signature: bytes
    ) -> bool:
        """Check the key, and where a signature came with it, tell the desk that it holds."""
        desk = self._desk()
        key = desk.may_prove(username, key_data)
        if key is not None and not msg:
            return True
        if key is not None and self._proves(desk, username, key, key_data, msg, signature):
            return True
        await desk.refused_key(key_data)
        return False

    def _proves(
        self, desk: Desk, username: str, key: bytes, blob: bytes, request: bytes, signature: bytes
    ) -> bool:
        # asyncssh makes other spellings of a name the same; a name is only what was signed.
        if said_user(request) != username.encode():
            return False
        attested = check_signature(key, String(self._session_id) + request, signature)
        return attested is not None and desk.key_proved(username, blob, attested)

    async def send_userauth_success(self) -> None:
        """Let the client in once all is proved and answered; until then it goes on (RFC 4252 5.1).

        asyncssh comes here for each method that succeeded. This is the one door.
        """
        desk = self._desk()
        if not desk.complete(self._username):
            self._allow_more_time()
            self.send_userauth_failure(desk.proof is not None)
            return
        desk.enter()
        proof = desk.proof
        certificate = None if proof is None else proof.offer.certificate
        if certificate is not None:
            # What it does not permit, asyncssh refuses: a terminal, forwarding.
            self._cert_options = dict.fromkeys(certificate.permits, True)
        await super().send_userauth_success()
        slim(self)

    def _allow_more_time(self) -> None:
        """Let a person look for the code, once; strangers never get here."""
        if not self._extended:
            self._extended = True
            self._cancel_login_timer()
            self._login_timer = self._loop.call_later(SECOND_STEP_S, self._login_timer_callback)

    def _desk(self) -> Desk:
        owner = self.get_owner()
        assert isinstance(owner, ProvedBy)
        return owner.login
