"""Our own keys (host key, recording key): made once, kept 0600, loaded for use."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from psm_console.domain.text import visible

from .errors import CredentialError
from .private_file import create_private, read_private
from .public_key import PublicKey, parse_public_key

if TYPE_CHECKING:
    import asyncssh

NAMESPACE = "psm-recording"
"""What a signature of a recording is for; one made for `git` or `file` is not accepted."""
PRINCIPAL = "psm"
"""Who signs, the `-I` of `ssh-keygen -Y verify`."""


def make_key(path: Path, comment: str) -> str:
    """Make an Ed25519 key at `path` (0600) and its public line at `path`.pub, if there is none.

    Return the public line. Two callers at once agree on one key.
    """
    if not path.exists():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        made = Ed25519PrivateKey.generate()
        create_private(
            path, made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
    line = public_line(path, comment)
    _write_public(path.with_name(f"{path.name}.pub"), line)
    return line


def public_line(path: Path, comment: str = "") -> str:
    """Return the public half of the private key at `path` as an OpenSSH line."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_private_key,
    )

    try:
        key = load_ssh_private_key(read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _not_a_key(path) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CredentialError(f"{visible(str(path), 200)} is not an Ed25519 key; move it away")
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{line} {comment}".strip()


def ensure_key(path: Path, comment: str) -> asyncssh.SSHKey:
    """Return the key at `path`, made first if there is none."""
    make_key(path, comment)
    return load_key(path)


def load_key(path: Path) -> asyncssh.SSHKey:
    """Return the private key at `path`, for asyncssh and for signing."""
    import asyncssh

    data = read_private(path)
    try:
        return asyncssh.import_private_key(data)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        # From None: the parser's own words could hold bytes of the file.
        raise _not_a_key(path) from None


def signers_line(public: PublicKey | str, principal: str = PRINCIPAL) -> str:
    """Return a line of an allowed_signers file, bound to our namespace (ssh-keygen(1))."""
    key = parse_public_key(public) if isinstance(public, str) else public
    return f'{principal} namespaces="{NAMESPACE}" {key.type} {key.encoded}'


def ensure_signers(path: Path, public: str) -> None:
    """Add the key's line to the allowed_signers file unless it is there; older keys stay."""
    line = signers_line(public)
    try:
        kept = path.read_text().splitlines() if path.exists() else []
        if line not in kept:
            _write_public(path, "\n".join([*kept, line]))
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(
            f"{visible(str(path), 200)} can not be used ({type(error).__name__}); look at it"
        ) from None


def _write_public(path: Path, text: str) -> None:
    """Write a file that is no secret, whole or not at all."""
    if path.exists() and path.read_text(errors="replace") == f"{text}\n":
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    create_private(draft, f"{text}\n".encode())
    draft.replace(path)


def _not_a_key(path: Path) -> CredentialError:
    return CredentialError(
        f"{visible(str(path), 200)} is not a private key that can be used; it must be in OpenSSH "
        "or PEM form and without a passphrase"
    )
