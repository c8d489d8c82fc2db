"""The broker as a foreground service: starts, says it is ready, stops cleanly on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncssh

from psm_console.credentials import ensure_key
from psm_console.recording.signing import Signer
from psm_console.store import Home, Store, StoreThread

from . import algorithms
from .authentication import OperatorConnection
from .inspectors import Inspectors
from .mishaps import show_mishaps
from .policy_file import PolicyFile
from .worker import Worker, utc_now

log = logging.getLogger(__name__)

DEFAULT_LISTEN = "127.0.0.1:2222"

Ready = Callable[[dict[str, object]], None]


class ListenError(Exception):
    """The address can not be listened on; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that accepts connections."""

    worker: Worker
    host: str
    port: int


async def serve(home: Home, *, listen: str = DEFAULT_LISTEN, ready: Ready | None = None) -> int:
    """Run the broker of `home` on `listen` (HOST:PORT, port 0 for any) until SIGTERM or SIGINT.

    `ready` is called once connections are accepted, with `home`, `host` and `port`. Returns the
    exit status. Raises `ListenError`, `HomeError`, `StoreError` or `ConfigError` with a sentence.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with running(home, listen) as broker:
        if ready is not None:
            ready({"home": str(home.root), "host": broker.host, "port": broker.port})
        await stopping.wait()
    return 0


@asynccontextmanager
async def running(home: Home, listen: str) -> AsyncIterator[Running]:
    """Accept connections on `listen` inside the block; leaving it ends the sessions in order."""
    home.check()
    show_mishaps()
    policy = PolicyFile(home.config)
    host_key = ensure_key(home.host_key, "psm host key")
    signer = Signer.load(home.recording_key)
    async with AsyncExitStack() as stack:
        store = StoreThread(home)
        stack.callback(store.close)
        await store.call(lambda opened: _take_over(opened, utc_now()))
        worker = Worker(home, store, policy, signer)
        await worker.prepare()
        bound = _bind(listen)
        stack.callback(bound.close)
        host, port = bound.getsockname()[:2]
        await store.call(
            lambda opened: opened.workers.register(
                worker.id, pid=os.getpid(), started_at=utc_now(), host=host, port=port
            )
        )
        worker.begin()
        server = await _listen(bound, worker, host_key)
        inspectors = Inspectors(home)
        worker.spawn(inspectors.run(), "inspector")
        yield Running(worker, host, port)
        server.close()
        await worker.stop("the broker is stopping")
        await inspectors.stop()
        await store.call(lambda opened: opened.workers.retire(worker.id))


def _take_over(store: Store, now: datetime) -> None:
    """Mark what an earlier run left behind before anybody is served."""
    with store.transaction():
        for lost in store.sessions.mark_lost(now):
            store.audit.append(
                now, "session.lost", "broker", session=lost.id, detail="its broker stopped"
            )


def _bind(listen: str) -> socket.socket:
    host, separator, port = listen.rpartition(":")
    host = host.strip("[]")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"{listen!r} is not HOST:PORT, for example {DEFAULT_LISTEN}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(256)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise ListenError(
            f"can not listen on {listen}: {error.strerror or error}; choose another with --listen"
        ) from None
    bound.setblocking(False)
    return bound


async def _listen(
    bound: socket.socket, worker: Worker, host_key: asyncssh.SSHKey
) -> asyncio.AbstractServer:
    options = asyncssh.SSHServerConnectionOptions(
        server_factory=worker.operator_leg,
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
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: OperatorConnection(loop, options, None, None), sock=bound, backlog=256
    )
