"""SSHSIG (OpenSSH PROTOCOL.sshsig) for Ed25519: what `ssh-keygen -Y` signs and verifies.

Built on cryptography alone, so that verifying a recording does not load an SSH stack.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_MAGIC = b"SSHSIG"
_HASHES = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
_KEY_TYPE = b"ssh-ed25519"


class SignatureFormatError(ValueError):
    """The text is not an SSHSIG signature by an Ed25519 key."""


def public_blob(key: Ed25519PublicKey) -> bytes:
    """Return `key` in SSH wire format, as base64 stands in an OpenSSH line."""
    return _string(_KEY_TYPE) + _string(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def fingerprint(blob: bytes) -> str:
    """Return the `SHA256:…` that ssh-keygen -l shows for a key in wire format."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def sign(key: Ed25519PrivateKey, blob: bytes, namespace: bytes, message: bytes) -> bytes:
    """Return the signature blob; `blob` is the public key in wire format."""
    signature = key.sign(_signed_data(namespace, b"sha512", message))
    wire = _string(_KEY_TYPE) + _string(signature)
    fields = (blob, namespace, b"", b"sha512", wire)
    return _MAGIC + struct.pack(">I", 1) + b"".join(map(_string, fields))


def check(signature: str, namespace: bytes, message: bytes) -> tuple[bytes, bool]:
    """Return the public key that `signature` (base64) names, and whether it holds.

    Raises SignatureFormatError when it is not an Ed25519 signature at all. A signature made for
    another namespace does not hold.
    """
    blob, named, algorithm, raw = _parse(_decoded(signature))
    if named != namespace or algorithm not in _HASHES:
        return blob, False
    try:
        key = Ed25519PublicKey.from_public_bytes(_fields(blob, 2)[1])
        key.verify(raw, _signed_data(namespace, algorithm, message))
    except (InvalidSignature, ValueError):
        return blob, False
    return blob, True


def _signed_data(namespace: bytes, algorithm: bytes, message: bytes) -> bytes:
    digest = _HASHES[algorithm](message).digest()
    return _MAGIC + b"".join(map(_string, (namespace, b"", algorithm, digest)))


def _parse(raw: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return public key, namespace, hash algorithm and bare signature."""
    if raw[:10] != _MAGIC + struct.pack(">I", 1):
        raise SignatureFormatError("not an SSHSIG signature, version 1")
    blob, namespace, reserved, algorithm, wire = _fields(raw[10:], 5)
    if reserved:
        raise SignatureFormatError("has something in the field that is to be empty")
    key_type, _ = _fields(blob, 2)
    signature_type, signature = _fields(wire, 2)
    if key_type != _KEY_TYPE or signature_type != _KEY_TYPE:
        raise SignatureFormatError("not made by an Ed25519 key")
    return blob, namespace, algorithm, signature


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureFormatError("not base64") from error


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _fields(data: bytes, count: int) -> list[bytes]:
    """Return exactly `count` SSH strings that make up all of `data`."""
    found: list[bytes] = []
    start = 0
    for _ in range(count):
        end = start + 4 + int.from_bytes(data[start : start + 4], "big")
        if start + 4 > len(data) or end > len(data):
            raise SignatureFormatError("ends early")
        found.append(data[start + 4 : end])
        start = end
    if start != len(data):
        raise SignatureFormatError("has bytes after its end")
    return found
