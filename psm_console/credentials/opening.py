"""Opens the credential of an account: the only place where its secret is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from psm_console.domain.inventory import CredentialRef, KeyFile, PasswordFile
from psm_console.domain.text import visible

from .errors import CredentialError
from .keys import load_key
from .private_file import check_private, read_private
from .secret import Secret

if TYPE_CHECKING:
    import asyncssh


@dataclass(frozen=True, slots=True, repr=False)
class KeyCredential:
    """A private key that opens an account."""

    key: asyncssh.SSHKey


@dataclass(frozen=True, slots=True, repr=False)
class PasswordCredential:
    """A password that opens an account."""

    password: Secret


Credential = KeyCredential | PasswordCredential


def open_credential(ref: CredentialRef) -> Credential:
    """Read the secret behind `ref`, or raise CredentialError; blocks on the disk."""
    match ref:
        case KeyFile(path):
            return KeyCredential(load_key(Path(path)))
        case PasswordFile(path):
            return PasswordCredential(_password(Path(path)))
        case _:
            assert_never(ref)


def check_credential(ref: CredentialRef) -> None:
    """Raise CredentialError when the file is missing or open to others; reads no secret."""
    name = visible(ref.path, 200)
    try:
        check_private(os.stat(ref.path), name)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name can not be used"
        raise CredentialError(f"{name} can not be used: {said}") from None


def _password(path: Path) -> Secret:
    line = read_private(path).split(b"\n", 1)[0].removesuffix(b"\r")
    name = visible(str(path), 200)
    if not line:
        raise CredentialError(f"{name} holds no password on its first line")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialError(f"{name} holds a password that is not UTF-8 text") from None
    return Secret(line)
