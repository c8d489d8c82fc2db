"""Landlock (Linux, landlock(7)): the kernel refuses this process every file that is not named.

The numbers are those of `linux/landlock.h`. Rights that a kernel does not know are left out, as
it could not hold them; what it does know and nothing here names is refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_SOCK = 1 << 5, 1 << 9
_TRUNCATE = 1 << 14
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights on files are known from an ABI on. Among the first 13 is that to execute."""
_TCP = 0b11
"""Bind and connect; from ABI 4 on."""
_SCOPES = 0b11
"""Abstract sockets and signals of others; from ABI 6 on."""


class ConfinementError(Exception):
    """A process could not be confined; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Reach:
    """All that a confined process may still open; what does not exist is passed over.

    Nothing may be executed, no TCP port bound or reached, and no process outside be signalled or
    looked into. Descriptors that are open already stay as they are.
    """

    read: tuple[Path, ...] = ()
    """Files, and folders with all below them."""
    write: tuple[Path, ...] = ()
    """Files that are read and written in place."""
    sockets: tuple[Path, ...] = ()
    """Folders that are listed, and in which sockets are made; files in them can be removed."""


def offered() -> int:
    """Return the kernel's version of the Landlock ABI; 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            return 0
        raise ConfinementError(f"Landlock does not answer: {error.strerror}") from None


def confine(reach: Reach) -> int:
    """Give up, for good, all that `reach` does not name; return the ABI, 0 when there is none.

    Holds for this thread and those it starts: call it before there are others. Raises
    `ConfinementError` when the kernel has Landlock and can not do it.
    """
    abi = offered()
    if abi == 0:
        return 0
    try:
        with _ruleset(abi) as ruleset:
            for path in reach.read:
                _allow(ruleset, path, _READ_FILE | _READ_DIR)
            for path in reach.write:
                _allow(ruleset, path, _READ_FILE | _WRITE_FILE | (_TRUNCATE if abi >= 3 else 0))
            for path in reach.sockets:
                _allow(ruleset, path, _READ_DIR | _MAKE_SOCK | _REMOVE_FILE)
            no_new_privileges()
            _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    except OSError as error:
        raise ConfinementError(f"Landlock refused: {error.strerror}") from None
    return abi


@contextmanager
def _ruleset(abi: int) -> Iterator[int]:
    rights = (1 << max(count for known, count in _FS_RIGHTS.items() if known <= abi)) - 1
    # struct landlock_ruleset_attr grew: a kernel wants no more of it than it knows.
    fields = [rights, *([_TCP] if abi >= 4 else []), *([_SCOPES] if abi >= 6 else [])]
    packed = struct.pack(f"={len(fields)}Q", *fields)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    ruleset = _call(_CREATE_RULESET, buffer, ctypes.c_size_t(len(packed)), ctypes.c_uint32(0))
    try:
        yield ruleset
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            # What belongs to folders alone is an error in a rule for a file.
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        rule = struct.pack("=Qi", rights, place)  # struct landlock_path_beneath_attr, packed
        buffer = ctypes.create_string_buffer(rule, len(rule))
        _call(
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_PATH_BENEATH),
            buffer,
            ctypes.c_uint32(0),
        )
    finally:
        os.close(place)


def no_new_privileges() -> None:
    """Let no program that is started ever gain rights; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _call(number: int, *arguments: object) -> int:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    result = int(syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
