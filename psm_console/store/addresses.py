"""Addresses of Unix sockets in a home, whose path may be longer than an address can be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_LONGEST = 103
"""Bytes that every system takes; sockaddr_un has 104 (macOS) or 108 (Linux) with the final NUL."""


def whole_address(folder: str, name: str) -> str | None:
    """Return the path as a socket's address, or None when it is too long for one."""
    whole = f"{folder}/{name}"
    return whole if len(os.fsencode(whole)) <= _LONGEST else None


@contextlib.contextmanager
def socket_address(folder: str, name: str) -> Iterator[str]:
    """Give a socket's address; where the path is too long for one, through a descriptor."""
    if (whole := whole_address(folder, name)) is not None:
        yield whole
        return
    handle = os.open(folder, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{name}"
    finally:
        os.close(handle)
