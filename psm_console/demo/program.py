"""A real program with its own session, on a pseudo-terminal or on pipes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

CHUNK = 32 * 1024
_GRACE_S = 1.0
_LOOK_S = 0.05
# A session leader's first terminal becomes its controlling one; no code of ours runs after fork.
_TAKE_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'


class Terminal:
    """The master side of a pseudo-terminal, `columns` × `rows` cells, used from one loop."""

    def __init__(self, columns: int, rows: int) -> None:
        self._fd, self._program_side = pty.openpty()
        self.name = os.ttyname(self._program_side)
        self.resize(columns, rows)
        os.set_blocking(self._fd, False)

    @property
    def program_side(self) -> int:
        """The descriptor that the program gets; `release` it once the program runs."""
        return self._program_side

    def release(self) -> None:
        """Give up the program's side, so that its end can be noticed."""
        if self._program_side >= 0:
            os.close(self._program_side)
            self._program_side = -1

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; the kernel tells the program in front."""
        rows, columns = min(max(rows, 1), 500), min(max(columns, 1), 1000)
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def signal_front(self, number: int) -> None:
        """Send a signal to the process group in front, if there is one."""
        with contextlib.suppress(OSError):
            group = os.tcgetpgrp(self._fd)
            # 0 once the session is over; to killpg that would mean our own group.
            if group > 0:
                os.killpg(group, number)

    async def read(self) -> bytes:
        """Return what the program drew next; empty once nobody holds its side."""
        while True:
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await _ready(self._fd, loop.add_reader, loop.remove_reader)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return b""

    async def write(self, data: bytes) -> None:
        """Type `data`; waits while the program does not take it."""
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await _ready(self._fd, loop.add_writer, loop.remove_writer)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return

    def close(self) -> None:
        """Hang up: whoever is in front gets SIGHUP."""
        self.release()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def _ready(
    descriptor: int,
    add: Callable[[int, Callable[[], None]], object],
    remove: Callable[[int], object],
) -> None:
    """Wait until the loop says that `descriptor` can be read, or written."""
    ready = asyncio.Event()
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)


async def start_on_terminal(
    argv: Sequence[str], terminal: Terminal, env: Mapping[str, str], folder: Path
) -> asyncio.subprocess.Process:
    """Start `argv` as the leader of a new session that `terminal` controls."""
    process = await asyncio.create_subprocess_exec(
        *["/bin/sh", "-c", _TAKE_TERMINAL, terminal.name, *argv],
        stdin=terminal.program_side,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(env),
        cwd=folder,
        start_new_session=True,
    )
    terminal.release()
    return process


async def start_on_pipes(
    argv: Sequence[str], env: Mapping[str, str], folder: Path
) -> asyncio.subprocess.Process:
    """Start `argv` in a new session with a pipe on each of its three streams."""
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(env),
        cwd=folder,
        start_new_session=True,
    )


async def end_session(leader: asyncio.subprocess.Process) -> None:
    """End everything that `leader`'s session still runs: asked first, killed a second later."""
    # A shell leaves its jobs in process groups of their own; only the session holds them all.
    signal_session(leader.pid, signal.SIGHUP)
    signal_session(leader.pid, signal.SIGCONT)
    for _ in range(round(_GRACE_S / _LOOK_S)):
        if not any(_members(leader.pid)):
            break
        await asyncio.sleep(_LOOK_S)
    signal_session(leader.pid, signal.SIGKILL)
    await leader.wait()


def signal_session(session: int, number: int) -> None:
    """Send a signal to every process of the session `session`."""
    for pid in _members(session):
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _members(session: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # A program may have named itself anything, also what is not UTF-8.
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if len(fields) > 3 and int(fields[3]) == session and fields[0] != b"Z":
            yield int(entry.name)
