"""OpenSSH certificates as clients offer them: taken apart, strictly; nobody's word yet.

Strangers send these before anybody is known, so this reads lengths and strings and nothing else:
no key is made of what is inside, and no signature is checked here.
"""

from __future__ import annotations

import ipaddress
import struct

from psm_console.domain.certificate import Certificate

from .errors import CredentialError
from .public_key import check_blob, parts_of

LARGEST = 16 << 10
"""Bytes; a certificate of an RSA key of 16,384 bits signed by another has less than half."""
MOST = 256
"""Principals, or options, at most (SSHKEY_CERT_MAX_PRINCIPALS of OpenSSH)."""
_SUFFIX = "-cert-v01@openssh.com"
CERTIFICATES = {
    f"{plain.removesuffix('@openssh.com')}{_SUFFIX}": plain
    for plain in (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "ssh-rsa",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    )
}
"""The types of certificates that are taken, and the type of the key in each."""


def parse_certificate(blob: bytes) -> Certificate | None:
    """Return what a certificate's wire form says; None when `blob` is no certificate at all.

    Raises CredentialError when it is a damaged one. The signature is the last string in it, over
    all that stands before.
    """
    if len(blob) > LARGEST:
        return None
    wire = _Wire(blob)
    try:
        kind = wire.string().decode("ascii")
    except (CredentialError, UnicodeDecodeError):
        return None
    plain = CERTIFICATES.get(kind)
    if plain is None:
        return None
    wire.string()  # the nonce
    start = wire.at
    for _ in range(parts_of(plain) or 0):
        wire.string()
    key = _string(plain.encode()) + blob[start : wire.at]
    check_blob(plain, key)
    serial, role = wire.number(8), wire.number(4)
    key_id = _text(wire.string())
    principals = tuple(_text(one) for one in _strings(wire.string()))
    after, before = wire.number(8), wire.number(8)
    critical, extensions = _options(wire.string()), _options(wire.string())
    wire.string()  # reserved
    authority = wire.string()
    signed = blob[: wire.at]
    signature = wire.string()
    wire.end()
    sources = critical.pop("source-address", None)
    verify = critical.pop("verify-required", None)
    if verify:
        raise _damaged()
    return Certificate(
        key_type=plain,
        key=key,
        authority=authority,
        kind=role,
        serial=serial,
        key_id=key_id,
        principals=principals,
        valid_after=after,
        valid_before=before,
        source_addresses=None if sources is None else _networks(sources),
        verify_required=verify is not None,
        refused_options=tuple(critical),
        permits=frozenset(extensions),
        signed=signed,
        signature=signature,
    )


class _Wire:
    """Reads the data types of RFC 4251 5, never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def string(self) -> bytes:
        return self._take(self.number(4))

    def _take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise _damaged()
        self.at += size
        return self._data[self.at - size : self.at]

    @property
    def left(self) -> bool:
        return self.at < len(self._data)

    def end(self) -> None:
        if self.left:
            raise _damaged()


def _strings(data: bytes) -> list[bytes]:
    wire, found = _Wire(data), list[bytes]()
    while wire.left:
        if len(found) >= MOST:
            raise CredentialError(f"the certificate has more than {MOST} principals or options")
        found.append(wire.string())
    return found


def _options(data: bytes) -> dict[str, bytes]:
    """Return options by name; one that stands twice is refused: which would hold?"""
    pairs = _strings(data)
    if len(pairs) % 2:
        raise _damaged()
    names = [_text(name) for name in pairs[::2]]
    if len(set(names)) != len(names):
        raise CredentialError("the certificate has an option twice")
    return dict(zip(names, pairs[1::2], strict=True))


def _networks(data: bytes) -> tuple[str, ...]:
    lists = _strings(data)
    networks = tuple(_text(lists[0]).split(",")) if len(lists) == 1 else ("",)
    try:
        return tuple(str(ipaddress.ip_network(network)) for network in networks)
    except ValueError:
        raise CredentialError("the certificate's source-address is no list of networks") from None


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CredentialError("the certificate holds a name that is not UTF-8 text") from None


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _damaged() -> CredentialError:
    return CredentialError("the certificate is damaged; have a new one signed")
