"""A TCP or Unix server on loopback whose other end is in the test's hand."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

Handler = Callable[[socket.socket], None]


class Peer:
    """`with Peer(handler) as peer:` then connect to 127.0.0.1:`peer.port` (or to `path`).

    Each connection is handled in a thread of its own and closed after; what it sent until its end
    of file is in `received` then.
    """

    def __init__(self, handler: Handler, path: Path | None = None) -> None:
        self._handler = handler
        self._path = path
        self.connections = 0
        self._open: list[socket.socket] = []

    def __enter__(self) -> Peer:
        if self._path is not None:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(self._path))
            self._listening.listen(16)
            self.port = 0
        else:
            self._listening = socket.create_server(("127.0.0.1", 0))
            self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, name="peer", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in [self._listening, *self._open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._handler(connection)


def echo(connection: socket.socket) -> None:
    """Give back what comes, and the end of it."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)


def whole(connection: socket.socket) -> bytes:
    """Return all that comes until the end of file."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))
