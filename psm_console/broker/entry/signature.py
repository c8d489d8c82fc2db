"""Checks signatures of logins and of certificates, and reads what a security key attests.

asyncssh by itself takes SHA-1 signatures of RSA keys, and WebAuthn ones from any origin, whatever
is configured; here only algorithms that are named count.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from asyncssh.public_key import SSHKey, decode_ssh_public_key

from psm_console.domain.certificate import Certificate

from ..ssh import algorithms

_STRONG = frozenset(name.encode() for name in algorithms.SIGNATURES)
_TOUCHED, _VERIFIED = 0x01, 0x04
"""Flags of a security key's signature (PROTOCOL.u2f: user presence, user verification)."""


@dataclass(frozen=True, slots=True)
class Attested:
    """What a good signature says of how it was made; an ordinary key's says nothing."""

    touched: bool = False
    verified: bool = False


def check_signature(key: bytes, data: bytes, signature: bytes) -> Attested | None:
    """Return what is attested when `signature` of `data` is good and strong, else None.

    `key` and `signature` are wire forms. Only a key that somebody trusts is given here: making
    one of a stranger's bytes is work that strangers could ask for.
    """
    algorithm, rest = _string(signature)
    if algorithm not in _STRONG:
        return None
    try:
        known: SSHKey = decode_ssh_public_key(key)
        if not known.verify(data, signature):
            return None
    except Exception:
        # Whatever a library raises over hostile bytes, it is not a good signature.
        return None
    if not algorithm.startswith(b"sk-"):
        return Attested()
    _, flags = _string(rest)
    return Attested(bool(flags[0] & _TOUCHED), bool(flags[0] & _VERIFIED))


def signed_by_authority(certificate: Certificate) -> bool:
    """Whether the authority that `certificate` names signed it."""
    signed, signature = certificate.signed, certificate.signature
    return check_signature(certificate.authority, signed, signature) is not None


def said_user(request: bytes) -> bytes:
    """Return the user name in a signed userauth request (RFC 4252 5), as it came."""
    return _string(request[1:])[0]


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Return the first string and what follows; both empty when there is none."""
    if len(data) < 4:
        return b"", b""
    (size,) = struct.unpack_from(">I", data)
    return (data[4 : 4 + size], data[4 + size :]) if size <= len(data) - 4 else (b"", b"")
