"""One worker on a listening socket; with an inspector beside it, a whole broker in one process."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncssh

from psm_console.credentials import ensure_key
from psm_console.recording.signing import Signer
from psm_console.store import Home, StoreThread

from ..descriptors import FOR_CONNECTIONS
from ..entry.authentication import OperatorConnection
from ..entry.moment import utc_now
from ..entry.tally import Tally
from ..policy_file import PolicyFile
from ..ssh.mishaps import show_mishaps
from ..ssh.operator_options import operator_options
from ..worker import Worker
from .accepting import Accepting
from .heap import keep_heap
from .inspectors import Inspectors
from .listening import bind
from .remains import put_away


@dataclass(frozen=True, slots=True)
class Running:
    """A worker that accepts connections."""

    worker: Worker
    accepting: Accepting
    host: str
    port: int


@asynccontextmanager
async def running(home: Home, listen: str) -> AsyncIterator[Running]:
    """Run a whole broker in this process on `listen`; leaving the block ends its sessions.

    Raises `ListenError`, `HomeError`, `StoreError` or `ConfigError` with a sentence.
    """
    home.check()
    put_away(home)
    with bind(listen) as listening:
        inspectors = Inspectors(home)
        async with working(home, listening) as found:
            found.worker.spawn(inspectors.run(), "inspector")
            yield found
        await inspectors.stop()


@asynccontextmanager
async def working(
    home: Home, listening: socket.socket, tally: Tally | None = None
) -> AsyncIterator[Running]:
    """Accept connections on `listening` inside the block; leaving it ends the sessions in order.

    Raises `HomeError`, `StoreError` or `ConfigError` with a sentence.
    """
    show_mishaps()
    keep_heap()
    policy = PolicyFile(home.config)
    host_key = ensure_key(home.host_key, "psm host key")
    signer = Signer.load(home.recording_key)
    async with AsyncExitStack() as stack:
        store = StoreThread(home)
        stack.callback(store.close)
        worker = Worker(home, store, policy, signer, tally or Tally.alone())
        await worker.prepare()
        host, port = listening.getsockname()[:2]
        await store.call(
            lambda opened: opened.workers.register(
                worker.id, pid=os.getpid(), started_at=utc_now(), host=host, port=port
            )
        )
        worker.begin()
        accepting = _accept(listening, worker, host_key)
        yield Running(worker, accepting, host, port)
        accepting.close()
        await worker.stop("the broker is stopping")
        await store.call(lambda opened: opened.workers.retire(worker.id))


def _accept(listening: socket.socket, worker: Worker, host_key: asyncssh.SSHKey) -> Accepting:
    options = operator_options(worker.operator_leg, host_key)
    loop = asyncio.get_running_loop()
    return Accepting(
        listening,
        lambda: OperatorConnection(loop, options, None, None),
        worker.tally,
        partial(worker.descriptors.has_room, FOR_CONNECTIONS),
    )
