"""Accepts connections on a socket that several workers share, each taking its part of them.

asyncio's own server takes all that waits at once, and the kernel wakes the same worker again and
again: one process would hold every session. Here whoever holds more than the others steps back for
an instant first.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from ..entry.tally import Tally

log = logging.getLogger(__name__)

_STEP_BACK_S = 0.003
_LONGEST_S = 0.03
"""With the others all busy or dead, this is what a client waits longer."""
_NO_ROOM_S = 0.5
"""Until accepting is tried again when descriptors have run out."""
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Accepting:
    """Takes connections until closed, and this process's hold on the socket with it."""

    def __init__(
        self,
        listening: socket.socket,
        made: Callable[[], asyncio.Protocol],
        tally: Tally,
        has_room: Callable[[], bool],
    ) -> None:
        """While there is not `has_room`, clients wait for us or are taken by another worker."""
        self._listening = listening
        self._made = made
        self._tally = tally
        self._has_room = has_room
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True
        self._watch()

    @property
    def arriving(self) -> bool:
        """Whether a connection was accepted whose owner does not know of it yet."""
        return bool(self._tasks)

    def close(self) -> None:
        """Accept nothing more; what was accepted goes on.

        As long as one process has the socket open the kernel takes connections for it.
        """
        if not self._open:
            return
        self._open = False
        self._tally.leave()
        if self._pending is not None:
            self._pending.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _watch(self) -> None:
        self._pending = None
        if self._open:
            self._loop.add_reader(self._listening, self._ready)

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listening)
        self._pending = self._loop.call_later(seconds, then)

    def _ready(self) -> None:
        ahead = self._tally.ahead()
        if ahead > 0:
            self._pause(min(ahead * _STEP_BACK_S, _LONGEST_S), self._after_all)
        else:
            self._accept()

    def _after_all(self) -> None:
        """Take what nobody else took meanwhile."""
        self._watch()
        self._accept()

    def _accept(self) -> None:
        if not self._has_room():
            self._pause(_NO_ROOM_S, self._watch)
            return
        try:
            accepted, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            log.error("no connection can be accepted: %s", error.strerror)
            self._pause(_NO_ROOM_S if error.errno in _SCARCE else _STEP_BACK_S, self._watch)
            return
        accepted.setblocking(False)
        task = self._loop.create_task(self._begin(accepted), name="accept")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._made, accepted)
        except OSError as error:
            log.warning("a connection broke as it began: %s", error.strerror)
            accepted.close()
