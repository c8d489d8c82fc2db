"""A filter of system calls (seccomp(2)) for what Landlock has no rule for.

Sockets of other kinds than our doorbells (UDP, Unix streams such as an agent's or a container
engine's), programs, and calls that look into or act for other processes. Numbers are those of
`asm/unistd.h`; a processor that is not listed here goes without.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from dataclasses import dataclass

from .landlock import ConfinementError, no_new_privileges

_LOAD, _AND = 0x20, 0x54
_EQUAL, _AT_LEAST = 0x15, 0x35
_RETURN = 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24
"""Places in struct seccomp_data; both processors are little-endian."""
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE = 0x00050001
"""SECCOMP_RET_ERRNO with EPERM."""
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_KIND = 0xF
"""Of a socket's type, what is no flag."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of one kind of processor."""

    architecture: int
    socket: int
    refused: tuple[int, ...]
    foreign_from: int = 1 << 31
    """Numbers from here on belong to another ABI."""


_MACHINES = {
    # execve, execveat, ptrace, process_vm_readv and _writev, bpf, perf_event_open, userfaultfd,
    # io_uring_setup, pidfd_getfd, add_key, request_key, keyctl, unshare, setns, mount,
    # open_by_handle_at
    "x86_64": _Machine(
        0xC000003E,
        41,
        (59, 322, 101, 310, 311, 321, 298, 323, 425, 438, 248, 249, 250, 272, 308, 165, 304),
        foreign_from=0x40000000,
    ),
    "aarch64": _Machine(
        0xC00000B7,
        198,
        (221, 281, 117, 270, 271, 280, 241, 282, 425, 438, 217, 218, 219, 97, 268, 40, 265),
    ),
}


def filter_calls() -> bool:
    """Have the kernel refuse such calls, for good; False where the numbers are not known.

    Holds for this thread and those it starts. Raises `ConfinementError` when it can not be done.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    program = _program(machine)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog, aligned as the compiler does.
    whole = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    buffer = ctypes.create_string_buffer(whole, len(whole))
    zero = ctypes.c_ulong(0)
    try:
        no_new_privileges()
    except OSError as error:
        raise ConfinementError(f"privileges can not be given up: {error.strerror}") from None
    libc = ctypes.CDLL(None, use_errno=True)
    mode = ctypes.c_ulong(_MODE_FILTER)
    if libc.prctl(_PR_SET_SECCOMP, mode, buffer, zero, zero) != 0:
        why = os.strerror(ctypes.get_errno())
        raise ConfinementError(f"calls can not be filtered: {why}")
    return True


def _program(machine: _Machine) -> bytes:
    """Return the filter; each step is what it does, and how far to jump if so and if not."""
    refused = machine.refused
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        # To the refusal, which is the last step; past the refused numbers, the socket's checks.
        (_AT_LEAST, len(refused) + 7, 0, machine.foreign_from),
        *((_EQUAL, len(refused) - place + 6, 0, number) for place, number in enumerate(refused)),
        (_EQUAL, 0, 5, machine.socket),
        (_LOAD, 0, 0, _FIRST),
        (_EQUAL, 0, 4, socket.AF_UNIX),
        (_LOAD, 0, 0, _SECOND),
        (_AND, 0, 0, _KIND),
        (_EQUAL, 0, 1, socket.SOCK_DGRAM),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
