"""The target leg: at its pinned host key, with a credential the operator never sees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache

import asyncssh

from psm_console.credentials import CredentialError, KeyCredential, open_credential
from psm_console.domain.inventory import Account, Target
from psm_console.domain.text import visible

from . import algorithms
from .packet_path import shorten
from .slimming import slim_target

CONNECT_TIMEOUT_S = 10.0
_LARGEST_PACKET = 4 << 20

Lost = Callable[[Exception | None], None]


class TargetRefusedError(Exception):
    """The target leg could not be opened; the text is a sentence for the operator."""


class _TargetClient(asyncssh.SSHClient):
    """Tells the driver when the target's connection is gone, once there was one."""

    def __init__(self) -> None:
        self._lost: Lost | None = None

    def watch(self, lost: Lost) -> None:
        """Call `lost` when the connection closes; what ends a handshake is raised by `connect`."""
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost is not None:
            self._lost(exc)


async def connect(target: Target, account: Account, lost: Lost) -> asyncssh.SSHClientConnection:
    """Return an authenticated connection to `account` on `target`.

    Raises `TargetRefusedError` when the target is down, shows a host key that is not pinned, or
    refuses the credential. `lost` is called once, when the connection closes later.
    """
    try:
        # Nothing of the broker's own user may leak in: no config file, no agent, no default keys.
        # keyboard-interactive stays off, or a hostile target could ask for any secret it likes.
        credential = open_credential(account.credential)
        secret: dict[str, object] = (
            {"client_keys": [credential.key], "preferred_auth": ["publickey"]}
            if isinstance(credential, KeyCredential)
            else {
                "client_keys": None,
                "password": credential.password.reveal().decode(),
                "preferred_auth": ["password"],
            }
        )
        pinned = [_host_key(line) for line in target.host_keys]
        client = _TargetClient()
        connection = await asyncio.wait_for(
            asyncssh.connect(
                target.host,
                target.port,
                username=account.ref.account,
                client_factory=lambda: client,
                known_hosts=(pinned, [], []),
                config=None,
                agent_path=None,
                kbdint_auth=False,
                gss_auth=False,
                host_based_auth=False,
                send_env=None,
                kex_algs=algorithms.TARGET_KEX,
                encryption_algs=algorithms.CIPHERS,
                mac_algs=algorithms.MACS,
                keepalive_interval=algorithms.KEEPALIVE_S,
                keepalive_count_max=algorithms.KEEPALIVES,
                login_timeout=algorithms.LOGIN_TIMEOUT_S,
                utf8_decode_errors="backslashreplace",  # old devices greet in Latin-1
                **secret,
            ),
            CONNECT_TIMEOUT_S,
        )
        _prepare(connection)
        client.watch(lost)
        if connection.is_closed():
            raise asyncssh.ConnectionLost("it closed the connection at once")
        return connection
    except (asyncssh.Error, OSError, TimeoutError, CredentialError, ValueError) as error:
        raise TargetRefusedError(_sentence(target, account, error)) from None


def _prepare(connection: asyncssh.SSHClientConnection) -> None:
    """Make a connection that is logged in ready for a session."""
    # sshd answers input at a prompt without echo by an IGNORE of the same size, up to a whole
    # window; asyncssh takes 256 KiB for an attack and would drop the session at a long paste.
    connection._update_recv_pktlen(_LARGEST_PACKET)
    shorten(connection)
    slim_target(connection)


@lru_cache(1024)
def _host_key(line: str) -> asyncssh.SSHKey:
    """Return a pinned host key; sessions on one target share it."""
    return asyncssh.import_public_key(line)


def _sentence(target: Target, account: Account, error: Exception) -> str:
    """Say what went wrong without a word of the credential's."""
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return (
                f"{target.name} does not show the host key that is pinned for it; nothing was sent "
                "to it. An admin must find out why before the inventory is changed"
            )
        case asyncssh.PermissionDenied():
            return f"{target.name} refused the credential of {account.ref}; an admin must renew it"
        case asyncssh.Error():
            return f"{target.name} ended the SSH handshake: {visible(error.reason, 200)}"
        case CredentialError():
            return f"the credential of {account.ref} can not be used; an admin must look at it"
        case TimeoutError():
            return f"{target.name} did not answer within {CONNECT_TIMEOUT_S:.0f} s"
        case OSError():
            return f"{target.name} can not be reached: {error.strerror or 'no answer'}"
        case _:
            return f"the inventory's entry for {target.name} can not be used"
