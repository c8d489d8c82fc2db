"""The demo's processes: none of them outlives the one that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 4.0


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Children:
    """Starts processes and ends them, with all that they started, orphans included."""

    def __init__(self) -> None:
        # What our children's children leave behind comes to us and not to init.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path | None,
        in_front: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start `argv`; one that is `in_front` keeps our terminal, others talk by pipes.

        `log` takes what a process says on stderr; None leaves it ours.
        """
        stream: IO[bytes] | None = None if log is None else log.open("ab")
        try:
            pipe = None if in_front else subprocess.PIPE
            process = subprocess.Popen(
                argv,
                env=dict(env),
                stdin=pipe,
                stdout=pipe,
                stderr=stream,
                start_new_session=not in_front,
                preexec_fn=_die_with_parent,
            )
        finally:
            if stream is not None:
                stream.close()
        self._started.append(process)
        return process

    def close(self) -> None:
        """End everything: asked first, the newest before what it stands on, then killed."""
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        for process in reversed(self._started):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.05))
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        _sweep()
        for process in self._started:
            process.wait()


def _sweep() -> None:
    """Kill every descendant that is left, until there is none."""
    while found := descendants(os.getpid()):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, 0)


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes below `pid`, from /proc; zombies count until reaped."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # A program may have named itself anything, also what is not UTF-8.
            fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if len(fields) > 1:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


class NoAnswer(Exception):
    """A child ended, or said nothing in time."""


def read_line(process: subprocess.Popen[bytes], within_s: float) -> str:
    """Return the next line that `process` prints; raises NoAnswer."""
    assert process.stdout is not None
    deadline = time.monotonic() + within_s
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise NoAnswer(f"nothing came within {within_s:g} s")
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                raise NoAnswer(f"it ended with status {process.wait()}")
            line += piece
    return line.decode("utf-8", "replace")
