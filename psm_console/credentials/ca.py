"""The host CA: vouches for the broker where it answers in a target's name.

A client that trusts the CA's public line accepts every target without ever having seen it. What is
shown for a target is a key of that name alone, never the broker's own host key and never the
target's, with a certificate (OpenSSH PROTOCOL.certkeys) whose only principal is the name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psm_console.domain.names import is_name
from psm_console.domain.text import visible

from .errors import CredentialError
from .keys import load_key, make_key, public_line
from .private_file import read_private
from .public_key import parse_public_key

if TYPE_CHECKING:
    import asyncssh
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CA_COMMENT = "psm host CA"
VALID_S = 24 * 3600
"""Longer than a session lasts, as some clients look at it again when keys are renewed."""
_RENEW_S = VALID_S // 2
_SKEW_S = 600
"""A client's clock may be behind by this."""
_KEPT = 4096


@dataclass(frozen=True, slots=True, repr=False)
class HostIdentity:
    """What the broker shows in the name of one target."""

    key: asyncssh.SSHKey
    certificate: asyncssh.SSHCertificate
    made_at: float
    """POSIX seconds."""


class HostCa:
    """The CA whose private key is at `path`; a key that is exchanged there is taken up."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._made: dict[str, HostIdentity] = {}
        self._seen: tuple[int, int, int] | None = None
        self._key: asyncssh.SSHKey

    def identity(self, name: str) -> HostIdentity:
        """Return the key and a certificate for exactly `name`, made now or a while ago.

        Raises CredentialError when there is no CA, or its key can not be used. Blocks on the disk.
        """
        if not is_name(name):
            raise CredentialError(
                f"{visible(name, 80)!r} is no target's name; nobody vouches for it"
            )
        self._look()
        now = self._clock()
        found = self._made.get(name)
        # The lower bound: a clock that was set back must not bring a certificate of tomorrow.
        if found is None or not found.made_at <= now < found.made_at + _RENEW_S:
            if len(self._made) >= _KEPT:
                self._made.clear()
            found = self._made[name] = self._certify(name, now)
        return found

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
        except OSError as error:
            self._seen = None
            raise CredentialError(
                f"the host CA can not be read: {error.strerror}; make one with `psm ca init`"
            ) from None
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._key = load_key(self._path)
            self._made = {}
            self._seen = seen

    def _certify(self, name: str, now: float) -> HostIdentity:
        import asyncssh
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        own = host_key(self._path, name)
        key = asyncssh.import_private_key(
            own.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        )
        certificate = self._key.generate_host_certificate(
            key,
            f"psm {name}",
            principals=[name],
            valid_after=max(int(now) - _SKEW_S, 0),
            valid_before=int(now) + VALID_S,
            comment=f"psm {name}",
        )
        return HostIdentity(key, certificate, now)


def host_key(ca: Path, name: str) -> Ed25519PrivateKey:
    """Return the host key for `name`, derived from the CA's: the same in every process.

    Clients that know no certificates (dropbear, paramiko) remember it, so it may not change with
    each start of the broker.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derivation = HKDF(SHA256(), 32, salt=None, info=b"psm host key 1\0" + name.encode("ascii"))
    return Ed25519PrivateKey.from_private_bytes(derivation.derive(_seed(ca)))


def known_hosts_line(public: str, patterns: str = "*") -> str:
    """Return the line of known_hosts that trusts the CA `public` for hosts of these patterns."""
    return f"@cert-authority {patterns} {public}"


def promote(prepared: Path, current: Path) -> str:
    """Put the prepared CA key in the current one's place; return its public line."""
    public_line(prepared)  # raises when it is no key
    try:
        # Before the exchange: a stop in between must not leave the old line beside the new key.
        _public_half(current).unlink(missing_ok=True)
        prepared.replace(current)
        _public_half(prepared).unlink(missing_ok=True)
    except OSError as error:
        raise CredentialError(
            f"{visible(str(current), 200)} can not be replaced: {error.strerror}"
        ) from None
    return make_key(current, CA_COMMENT)


def read_public(path: Path) -> str:
    """Return the public line of the key at `path`, from its `.pub` where there is one.

    Who may only read public halves gets the same answer.
    """
    try:
        found = _public_half(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return public_line(path)
    return parse_public_key(found).line


def _public_half(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def _seed(path: Path) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    try:
        key = load_ssh_private_key(read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CredentialError(
            f"{visible(str(path), 200)} is not a private key that can be used; make a new host CA "
            "with `psm ca rotate`"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CredentialError(f"{visible(str(path), 200)} is not an Ed25519 key; move it away")
    return key.private_bytes_raw()
