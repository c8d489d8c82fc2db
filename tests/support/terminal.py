"""A program in a terminal of its own: type, look at the bytes, resize, wait."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import selectors
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_TAKE_TERMINAL = 'exec "$@" <"$0" >"$0" 2>&1'


class PtyProcess:
    """`with PtyProcess(argv) as terminal:` starts it; `output` is every byte that it drew."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.output = bytearray()
        self._fd, child = pty.openpty()
        self.resize(columns, rows, tell=False)
        # The first terminal that a session leader opens becomes its controlling one.
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", _TAKE_TERMINAL, os.ttyname(child), *argv],
            stdin=child,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        os.close(child)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._fd, selectors.EVENT_READ)
        self._open = True

    def __enter__(self) -> PtyProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def text(self) -> str:
        """Everything drawn so far, control sequences included."""
        return self.output.decode("utf-8", "replace")

    def resize(self, columns: int, rows: int, *, tell: bool = True) -> None:
        """Change the terminal's size; the kernel sends the SIGWINCH."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, text: str | bytes) -> None:
        """Send keystrokes; a long text is fed as the terminal takes it."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._fd, data[:1024]) :]
            if data:
                self.read(0)

    def read(self, timeout_s: float) -> bool:
        """Collect what is there within `timeout_s`; False when nothing came or it has ended."""
        if not self._open or not self._selector.select(timeout_s):
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        if not data:
            self._open = False
        self.output += data
        return bool(data)

    def wait_for(self, text: str, *, within_s: float = 30.0, after: int = 0) -> int:
        """Wait until `text` was drawn behind offset `after`; return the offset behind it."""
        deadline = time.monotonic() + within_s
        wanted = text.encode()
        while (found := self.output.find(wanted, after)) < 0:
            left = deadline - time.monotonic()
            if left < 0 or (not self.read(left) and not self._open):
                shown = self.text[max(after, len(self.text) - 1500) :]
                raise AssertionError(f"{text!r} never came within {within_s} s; last {shown!r}")
        return found + len(wanted)

    def wait_exit(self, within_s: float = 30.0) -> int:
        """Wait for the end, collecting output; return the status (negative for a signal)."""
        deadline = time.monotonic() + within_s
        while self._open and time.monotonic() < deadline:
            self.read(0.05)
        return self.process.wait(max(deadline - time.monotonic(), 0.1))

    def close(self) -> None:
        """Hang up; a program that does not leave is killed."""
        if self._fd < 0:
            return
        self._selector.close()
        os.close(self._fd)
        self._fd = -1
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
