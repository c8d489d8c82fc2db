"""Reads and makes files that hold a secret: ours alone, of sane size, never another kind."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from psm_console.domain.text import visible

from .errors import CredentialError

LARGEST = 64 << 10
"""Bytes; an RSA key of 16,384 bits has 13 KB."""


def read_private(path: Path) -> bytes:
    """Return what is in the file, or raise CredentialError when others could have read it.

    Owner and mode are asked of the open file, so that it can not be exchanged in between.
    """
    name = visible(str(path), 200)
    try:
        # O_NONBLOCK: a FIFO put here must not hang us.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name can not be used"
        raise CredentialError(f"{name} can not be read: {said}") from None
    try:
        check_private(os.fstat(handle), name)
        with open(handle, "rb", closefd=False) as file:
            return file.read(LARGEST)
    finally:
        os.close(handle)


def check_private(found: os.stat_result, name: str) -> None:
    """Raise CredentialError unless this is an ordinary file that only its owner may use."""
    if not stat.S_ISREG(found.st_mode):
        raise CredentialError(f"{name} is not a file; name the file that holds the secret")
    if found.st_uid not in (os.geteuid(), 0):
        raise CredentialError(f"{name} belongs to another user; its owner could change it")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialError(
            f"{name} can be used by others (mode {stat.S_IMODE(found.st_mode):04o}); "
            f"close it: chmod 600 {name}"
        )
    if found.st_size > LARGEST:
        raise CredentialError(f"{name} has {found.st_size} bytes, too many for a key or password")


def create_private(path: Path, data: bytes) -> bool:
    """Write a new file, 0600 and on the disk when this returns; False if there is one already.

    It appears whole or not at all: of two that do this at once, one wins.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise CredentialError(
            f"{visible(str(path), 200)} can not be made: {error.strerror}"
        ) from None
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
