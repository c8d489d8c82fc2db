"""What the broker speaks to operators' clients: the same for outer and inner connections."""

from __future__ import annotations

from collections.abc import Callable

import asyncssh

from . import algorithms

HostKey = asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]


def operator_options(
    leg: Callable[[], asyncssh.SSHServer], host_key: HostKey
) -> asyncssh.SSHServerConnectionOptions:
    """Return the options of a connection whose callbacks `leg` makes, shown under `host_key`."""
    return asyncssh.SSHServerConnectionOptions(
        server_factory=leg,
        server_host_keys=[host_key],
        kex_algs=algorithms.KEX,
        encryption_algs=algorithms.CIPHERS,
        mac_algs=algorithms.MACS,
        signature_algs=algorithms.SIGNATURES,
        compression_algs=None,
        password_auth=False,
        host_based_auth=False,
        gss_auth=False,
        gss_kex=False,
        gss_host=None,
        kbdint_auth=True,
        public_key_auth=True,
        authorized_client_keys=None,
        line_editor=False,
        encoding=None,
        window=algorithms.WINDOW,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        keepalive_interval=algorithms.KEEPALIVE_S,
        keepalive_count_max=algorithms.KEEPALIVES,
        login_timeout=algorithms.LOGIN_TIMEOUT_S,
        config=None,
    )
