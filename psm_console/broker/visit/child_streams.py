"""The ends of a child's streams that the broker holds: no more is read than is taken."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable

_CHUNK = 32768
END_OF_TRANSMISSION = b"\x04"


class Outlet:
    """What a child writes, given to `give` as long as there is no reason to hold it.

    Owns `descriptor`. `ended` is set when the child's side is closed and all of it was given.
    """

    def __init__(self, descriptor: int, give: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._give = give
        self._reasons: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._readable)

    def hold(self, reason: str) -> None:
        """Leave what the child writes in the kernel's buffer, which makes it wait."""
        if self._give is _nobody:
            # A client that does not even take the last words must not keep the child.
            return
        if not self._reasons and not self.ended.is_set():
            self._loop.remove_reader(self._descriptor)
        self._reasons.add(reason)

    def release(self, reason: str) -> None:
        """Read again if this was the last reason not to."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons and not self.ended.is_set():
                self._loop.add_reader(self._descriptor, self._readable)

    def drain(self) -> None:
        """Read all from now on and give none of it to anybody."""
        self._give = _nobody
        for reason in list(self._reasons):
            self.release(reason)

    def close(self) -> None:
        """Read no more; harmless when it has ended."""
        if not self.ended.is_set():
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self.ended.set()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            # EIO: no process has the terminal open any more.
            data = b""
        if data:
            self._give(data)
        else:
            self.close()


class Inlet:
    """What a child is to read; `full` is told when it does not, and again when it does.

    Owns `descriptor`, a pipe or a terminal's other side.
    """

    def __init__(self, descriptor: int, full: Callable[[bool], None], *, terminal: bool) -> None:
        self._descriptor = descriptor
        self._full = full
        self._terminal = terminal
        self._waiting: deque[bytes] = deque()
        self._ends = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)

    def write(self, data: bytes) -> None:
        """Write `data`, now or when the child reads again."""
        if self._closed or self._ends or not data:
            return
        self._waiting.append(data)
        if len(self._waiting) == 1:
            self._write()
            if self._waiting:
                self._full(True)
                self._loop.add_writer(self._descriptor, self._writable)

    def end(self) -> None:
        """Say that nothing more will come: a closed pipe, at a terminal what ^D says."""
        if self._terminal:
            self.write(END_OF_TRANSMISSION)
        self._ends = True
        if not self._waiting and not self._terminal:
            self.close()

    def close(self) -> None:
        """Throw away what waits; harmless when it is closed."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)

    def _writable(self) -> None:
        self._write()
        if self._closed or self._waiting:
            return
        self._loop.remove_writer(self._descriptor)
        self._full(False)
        if self._ends and not self._terminal:
            self.close()

    def _write(self) -> None:
        while self._waiting:
            try:
                written = os.write(self._descriptor, self._waiting[0])
            except BlockingIOError:
                return
            except OSError:
                # The child has closed it: nobody will read the rest either.
                self.close()
                self._full(False)
                return
            rest = self._waiting.popleft()[written:]
            if rest:
                self._waiting.appendleft(rest)
                return


def _nobody(data: bytes) -> None:
    """Take what a child says when there is nobody to hear it."""
