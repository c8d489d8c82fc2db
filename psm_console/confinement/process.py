"""What a process gives up beside its files: memory without end, core dumps, an orphan's life."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .landlock import ConfinementError

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_CAPABILITY_VERSION = 0x20080522


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """How much a process may take."""

    files: int = 256
    data_bytes: int = 1 << 30
    """Memory of its own; files that are mapped do not count."""
    nice: int = 5
    oom_score: int = 500
    """The kernel ends it before others of its user when memory is short (0 … 1000)."""


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, however it does.

    Raises `ConfinementError` when `parent` (its process id) is gone already.
    """
    if not sys.platform.startswith("linux"):
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ConfinementError("whoever started this process is gone")


def limit(limits: ProcessLimits) -> None:
    """Take no more than `limits` from now on, and leave no picture of the memory behind."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_DATA, limits.data_bytes),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    if sys.platform.startswith("linux"):
        _prctl(_PR_SET_DUMPABLE, 0)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(limits.oom_score))
    os.nice(limits.nice)


def shed_capabilities() -> None:
    """Give up what root may beyond its own files; for others there is nothing to give up."""
    if not sys.platform.startswith("linux"):
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        raise ConfinementError(f"capabilities stay: {os.strerror(ctypes.get_errno())}")


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero) != 0:
        raise ConfinementError(f"prctl {option}: {os.strerror(ctypes.get_errno())}")
