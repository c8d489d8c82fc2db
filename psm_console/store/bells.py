"""Doorbells: whoever has committed or appended wakes those who wait, in half a millisecond.

A bell carries no data: who hears one reads the store or the file again. Bells may be lost or ring
for nothing; every listener (listening.py) also looks by itself once a second.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import time
from types import TracebackType
from typing import Self

from .addresses import socket_address, whole_address
from .home import Home

_SETTLED_NS = 50_000_000
"""A directory's time stamp moves in steps of up to 10 ms: two changes can share one."""
_SUFFIX = ".bell"
_Listed = tuple[str, str | None]
"""A bell's name, and its address where the path is short enough to be one."""


class Bell:
    """A datagram socket in the home's run/ that wakes this process; close it or leave a corpse."""

    def __init__(self, home: Home, topic: str):
        """Bind a bell for `topic` (`store`, or a session's id).

        Raises OSError where run/ can not be written: a read-only copy has no bells.
        """
        self._path = home.run / f"{topic}~{os.getpid()}-{secrets.token_hex(2)}{_SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | _FLAGS)
        try:
            with socket_address(str(home.run), self._path.name) as address:
                self._socket.bind(address)
            self._socket.setblocking(False)
            self._path.chmod(0o600)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the bell has rung."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Forget all ringing so far; True when there was any. Do it before reading the store."""
        rung = False
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(16)
                rung = True
        return rung

    def wait(self, timeout_s: float) -> bool:
        """Block until the bell rings (True, and drained) or the time is over."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(max(timeout_s, 0) * 1000)) and self.drain()

    def close(self) -> None:
        """Unbind; harmless when it is closed already."""
        if self._socket.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Ringer:
    """Rings the bells of a home; for one thread. Ringing never raises and never blocks."""

    def __init__(self, home: Home):
        self._run = str(home.run)
        self._socket: socket.socket | None = None
        self._stamp: int | None = None
        self._bells: dict[str, list[_Listed]] = {}

    def ring(self, *topics: str) -> int:
        """Wake all who listen to one of `topics`; return how many there are. Unlinks dead bells."""
        try:
            listed = self._listed()
        except OSError:
            return 0
        return sum(self._ring(*bell) for topic in topics for bell in listed.get(topic, ()))

    def heard(self, topic: str) -> bool:
        """Return whether anybody listened to `topic` when it was last rung for something."""
        return topic in self._bells

    def close(self) -> None:
        """Give back the socket; the next ring opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _listed(self) -> dict[str, list[_Listed]]:
        """Return the bells by topic, listed again only when the directory has changed."""
        stamp = os.stat(self._run).st_mtime_ns
        if stamp != self._stamp:
            self._bells = {}
            for name in os.listdir(self._run):
                topic, separator, _ = name.rpartition("~")
                if separator and name.endswith(_SUFFIX):
                    bell = (name, whole_address(self._run, name))
                    self._bells.setdefault(topic, []).append(bell)
            settled = time.time_ns() - stamp > _SETTLED_NS
            self._stamp = stamp if settled else None
        return self._bells

    def _ring(self, name: str, address: str | None) -> bool:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | _FLAGS)
                self._socket.setblocking(False)
            if address is not None:
                self._socket.sendto(b"\0", address)
                return True
            with socket_address(self._run, name) as address:
                self._socket.sendto(b"\0", address)
        except BlockingIOError:
            return True  # its queue is full: it has been woken more often than it looked
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                os.unlink(f"{self._run}/{name}")
            return False
        except OSError:
            return False
        return True


_FLAGS = getattr(socket, "SOCK_CLOEXEC", 0)
