"""How a new broker takes the listening socket over from the one that runs, losing no client.

The socket itself is passed (SCM_RIGHTS, unix(7)): what waits in its queue is answered by whoever
accepts next. The old broker drains only once the new one has said that it accepts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

from psm_console.store import Home
from psm_console.store.addresses import socket_address

from .listening import adopt

log = logging.getLogger(__name__)

_NAME = "broker.sock"
_ASK, _READY = b"take over\n", b"ready\n"
_NOT_GIVEN = (
    "the broker that runs did not hand its socket over; if another took over from it just now, try "
    "again, else see its log"
)
_PATIENCE_S = 40.0
"""How long a new broker may take to come up before the old one stops waiting for it."""

_AGAIN_S = 1.0
"""Until accepting is tried again when descriptors have run out."""


class SuccessionError(Exception):
    """The socket is not handed over; the text is a sentence."""


class Before:
    """The broker that runs, seen from its successor."""

    def __init__(self, line: socket.socket, listening: socket.socket) -> None:
        self._line = line
        self.listening = listening

    async def thank(self) -> None:
        """Tell it that we accept connections: now it drains."""
        with self._line:
            try:
                await asyncio.get_running_loop().sock_sendall(self._line, _READY)
            except OSError:
                log.error(
                    "the broker that ran before did not wait for this one: end it, if it still runs"
                )


async def take_over(home: Home) -> Before:
    """Ask the running broker of `home` for its socket; raises `SuccessionError`."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(_PATIENCE_S)
        with socket_address(str(home.run), _NAME) as address:
            await asyncio.to_thread(line.connect, address)
        line.sendall(_ASK)
        _, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, line, 16, 1)
        if not descriptors:
            raise SuccessionError(_NOT_GIVEN)
        line.setblocking(False)
        return Before(line, adopt(descriptors[0]))
    except (ConnectionResetError, BrokenPipeError):
        line.close()
        raise SuccessionError(_NOT_GIVEN) from None
    except (OSError, SuccessionError) as error:
        line.close()
        if isinstance(error, SuccessionError):
            raise
        raise SuccessionError(
            f"there is no broker to take over from ({error.strerror or 'no answer'}); "
            "start without --replace"
        ) from None


class Succession:
    """Answers a successor, inside `async with`; `replaced` is called when it accepts."""

    def __init__(self, home: Home, listening: socket.socket, replaced: Callable[[], None]) -> None:
        self._home = home
        self._listening = listening
        self._replaced = replaced
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Succession:
        path = _path(self._home)
        path.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_address(str(self._home.run), _NAME) as address:
            door.bind(address)
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
        self._inode = path.stat().st_ino
        door.listen(1)
        door.setblocking(False)
        self._door = door
        self._asking = asyncio.create_task(self._serve(), name="succession")
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._door.close()
        with contextlib.suppress(OSError):
            # The successor has put its own there by now.
            if _path(self._home).stat().st_ino == self._inode:
                _path(self._home).unlink()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                line, _ = await loop.sock_accept(self._door)
            except OSError as error:
                log.error("no successor can be answered now: %s", error.strerror)
                await asyncio.sleep(_AGAIN_S)
                continue
            with line:
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        if await self._hand_over(line):
                            # Who waits behind it hears at once that nobody answers here any more.
                            self._door.close()
                            self._replaced()
                            return
                except (OSError, TimeoutError) as error:
                    log.error("a successor did not come up: %s", error or "it took too long")

    async def _hand_over(self, line: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        if _peer(line) != os.geteuid() or await loop.sock_recv(line, 64) != _ASK:
            return False
        socket.send_fds(line, [b"."], [self._listening.fileno()])
        return await loop.sock_recv(line, 64) == _READY


def _path(home: Home) -> Path:
    return home.run / _NAME


def _peer(line: socket.socket) -> int:
    """The user id of the process at the other end; unix(7), SO_PEERCRED."""
    found = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", found)[1]
    return uid
