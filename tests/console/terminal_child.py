"""Runs the real console in a PTY and keeps every byte that it writes to the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_PROGRAM = """
import sys
from pathlib import Path
from psm_console.console import run
from psm_console.operations.errors import PsmError
from psm_console.operations.identity import local_identity
from psm_console.store import Home, Store
home = Home(Path(sys.argv[1]))
with Store.open(home) as store:
    actor = local_identity(store, home)
try:
    sys.exit(run(home, actor, link=sys.argv[2] or None))
except PsmError as error:
    sys.stderr.write(f"psm: {error}\\n")
    sys.exit(error.exit_code)
"""


class TerminalChild:
    """A console process and the master side of its terminal."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid = pid
        self.master = master
        self.output = b""
        self.status: int | None = None

    def read_until(self, condition: Callable[[bytes], bool], within_s: float = 60.0) -> None:
        """Keep what it writes until `condition` holds for all of it."""
        deadline = time.monotonic() + within_s
        while not condition(self.output):
            if time.monotonic() > deadline:
                tail = self.output[-2000:]
                raise AssertionError(f"not within {within_s} s; it wrote last: {tail!r}")
            if not self._read(0.1):
                return

    def expect(self, text: bytes) -> None:
        """Keep what it writes until `text` was written after what is kept already."""
        start = len(self.output)
        self.read_until(lambda output: output.find(text, start) >= 0)

    def settle(self, quiet_s: float = 0.4, within_s: float = 2.0) -> None:
        """Keep what it writes until it is quiet; clocks and ages tick on, so not for ever."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and select.select([self.master], [], [], quiet_s)[0]:
            if not self._read(0):
                return

    def read_now(self) -> None:
        """Keep what it has written already."""
        self._read(0)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], timeout_s)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def press(self, keys: bytes) -> None:
        """Send keys as a terminal does."""
        os.write(self.master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def wait(self, within_s: float = 30.0) -> int:
        """Return the exit status."""
        deadline = time.monotonic() + within_s
        while self.status is None:
            self._read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError("the console did not end")
        return self.status


@contextlib.contextmanager
def console_in_a_terminal(
    home: Path, *, size: tuple[int, int] = (120, 40), link: str = "", **environ: str
) -> Iterator[TerminalChild]:
    """Run the console of `home`; it is killed when the test is done with it."""
    columns, rows = size
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        **environ,
    }
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        program = [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(home), link]
        os.execve(sys.executable, program, settings)
    child = TerminalChild(pid, master)
    try:
        yield child
    finally:
        if child.status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(master)
