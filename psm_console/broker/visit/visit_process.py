"""The process that serves a visit: started with nothing of the broker's but its order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from psm_console.domain.session import Size
from psm_console.operations.visits import VisitOrder

from .child_streams import Inlet, Outlet

ENVIRONMENT = ("LANG", "LC_*", "COLORTERM")
"""What a client may set; TERM comes with its terminal. A locale's name could be a path."""
_VALUE = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_SIGNALS = frozenset({"HUP", "INT", "QUIT", "TERM", "KILL"})


@dataclass(frozen=True, slots=True)
class Ends:
    """Who takes what the process writes, and who is told that it does not read."""

    output: Callable[[bytes], None]
    errors: Callable[[bytes], None]
    full: Callable[[bool], None]


class VisitProcess:
    """A child in a session of its own, at a terminal of its own or between pipes."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        inlet: Inlet,
        outlets: tuple[Outlet, ...],
        terminal: int | None,
    ) -> None:
        self._process = process
        self.inlet = inlet
        self.outlets = outlets
        self._terminal = terminal

    @classmethod
    async def start(
        cls, order: VisitOrder, size: Size | None, environment: Mapping[str, str], ends: Ends
    ) -> VisitProcess:
        """Start it; with `size` at a terminal. Raises OSError when the machine has no room."""
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            told = theirs.enter_context(_told(order))
            if size is not None:
                inner, outer = _terminal(size, theirs, ours)
                streams = (inner, inner, inner)
                mine: tuple[int, ...] = (os.dup(outer), outer)
                ours.callback(os.close, mine[0])
            else:
                pairs = [_pipe(theirs, ours, outward=number > 0) for number in range(3)]
                streams = (pairs[0][0], pairs[1][0], pairs[2][0])
                mine = (pairs[0][1], pairs[1][1], pairs[2][1])
            process = await _spawn(told, streams, environment)
            ours.pop_all()
        outlets = [Outlet(mine[1], ends.output)]
        if size is None:
            outlets.append(Outlet(mine[2], ends.errors))
        inlet = Inlet(mine[0], ends.full, terminal=size is not None)
        return cls(process, inlet, tuple(outlets), None if size is None else mine[1])

    def resize(self, size: Size) -> None:
        """Tell the terminal its size; the kernel tells the child."""
        if self._terminal is not None and not self.outlets[0].ended.is_set():
            _set_size(self._terminal, size)

    def send(self, name: str) -> None:
        """Send a signal by its name in RFC 4254, 6.9; those that no client needs are dropped."""
        if name in _SIGNALS and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.Signals[f"SIG{name}"])

    def close(self) -> None:
        """Let go of its streams, and of itself if it is still there."""
        self.send("KILL")
        self.inlet.close()
        for outlet in self.outlets:
            outlet.close()

    async def wait(self) -> int:
        """Return the status once it has ended; negative for a signal."""
        return await self._process.wait()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid


def locale_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables whose values are plain names."""
    return {name: value for name, value in environment.items() if _VALUE.fullmatch(value)}


async def _spawn(
    told: int, streams: tuple[int, int, int], environment: Mapping[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        # Isolated: no PYTHON* variable, no module from where we happen to run.
        *("-I", "-B", "-X", "utf8", "-m", "psm_console.cli.visitor", str(told)),
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        env=dict(environment) | {"HOME": "/"},
        cwd="/",
        umask=0o077,
        start_new_session=True,
        pass_fds=(told,),
    )


@contextlib.contextmanager
def _told(order: VisitOrder) -> Iterator[int]:
    """Yield a pipe that holds the order: a pipe takes 64 KiB, an order has 9 at most."""
    reader, writer = os.pipe()
    try:
        try:
            os.set_blocking(writer, False)
            os.write(writer, order.encode())
        finally:
            os.close(writer)
        yield reader
    finally:
        os.close(reader)


def _terminal(
    size: Size, theirs: contextlib.ExitStack, ours: contextlib.ExitStack
) -> tuple[int, int]:
    outer, inner = os.openpty()
    ours.callback(os.close, outer)
    theirs.callback(os.close, inner)
    modes = termios.tcgetattr(inner)
    modes[0] |= getattr(termios, "IUTF8", 0x4000)
    termios.tcsetattr(inner, termios.TCSANOW, modes)
    _set_size(outer, size)
    return inner, outer


def _pipe(
    theirs: contextlib.ExitStack, ours: contextlib.ExitStack, *, outward: bool
) -> tuple[int, int]:
    """Return the child's end and ours of a pipe."""
    reader, writer = os.pipe()
    inner, outer = (writer, reader) if outward else (reader, writer)
    theirs.callback(os.close, inner)
    ours.callback(os.close, outer)
    return inner, outer


def _set_size(terminal: int, size: Size) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
