"""OpenSSH public key lines, as inventories and clients write them: parsed, and named."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass

from psm_console.domain.text import visible

from .errors import CredentialError

LONGEST_LINE = 16 << 10
SMALLEST_RSA = 2048
"""Bits."""
_CURVES = {
    "ecdsa-sha2-nistp256": (b"nistp256", 65),
    "ecdsa-sha2-nistp384": (b"nistp384", 97),
    "ecdsa-sha2-nistp521": (b"nistp521", 133),
}


_OPTION = re.compile(
    r"(?:cert-authority|restrict|(?:no-)?(?:pty|user-rc|agent-forwarding|port-forwarding|"
    r"X11-forwarding|touch-required)|verify-required|expiry-time|from|command|environment|"
    r"principals|permitopen|permitlisten|tunnel|zos-key-ring-label)(?=$|[=,])",
    re.IGNORECASE,
)
_NO_OPTIONS = (
    "the option {} before a key would not be obeyed here, so the line is refused; "
    "give the key alone"
)
_OPTIONS_INSTEAD = {
    "cert-authority": "{} is said by where the key stands: cert_authority of a group; "
    "give the key alone",
    "verify-required": "the option {} is not taken before a key; "
    "write verify_required = true for the identity",
    "no-touch-required": "the option {} is not taken before a key; "
    "see touch_required in config.toml",
    "expiry-time": "the option {} is not taken before a key; give the grant an expires_at, "
    "or sign certificates that end",
    "from": "the option {} is not taken before a key; sign certificates with source-address",
}
"""Options of authorized_keys (sshd(8)): none is ever read and ignored."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; two lines with the same `blob` are the same key, whatever their comments."""

    type: str
    blob: bytes
    comment: str = ""

    @property
    def encoded(self) -> str:
        """Base64 of the blob."""
        return base64.b64encode(self.blob).decode("ascii")

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest())
        return f"SHA256:{digest.decode('ascii').rstrip('=')}"

    @property
    def line(self) -> str:
        """The line without options, its comment made visible."""
        return f"{self.type} {self.encoded} {visible(self.comment, 200)}".strip()


def fingerprint(line: str) -> str:
    """Return `SHA256:…` of a public key line; CredentialError when it is none."""
    return parse_public_key(line).fingerprint


def parse_public_key(line: str) -> PublicKey:
    """Return the key that an OpenSSH public key line holds, or raise CredentialError."""
    if len(line) > LONGEST_LINE:
        raise CredentialError(f"a public key line has {len(line)} characters, too many")
    parts = line.split(None, 2)
    if "PRIVATE KEY" in line:
        raise CredentialError("this is a private key; give the line from the .pub file")
    if len(parts) < 2:
        raise CredentialError("expected a public key line such as `ssh-ed25519 AAAA… comment`")
    kind, encoded = parts[0], parts[1]
    if kind not in _PARTS:
        raise CredentialError(_not_taken(kind))
    try:
        blob = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise CredentialError(
            f"the {kind} key is not base64; was the line cut or wrapped?"
        ) from None
    check_blob(kind, blob)
    return PublicKey(kind, blob, parts[2].strip() if len(parts) > 2 else "")


def check_blob(kind: str, blob: bytes) -> None:
    """Raise CredentialError unless `blob` is a whole and strong enough key of the type `kind`."""
    if kind not in _PARTS:
        raise CredentialError(_not_taken(kind))
    _check(kind, _fields(kind, blob))


def parts_of(kind: str) -> int | None:
    """Return how many strings follow the type in a blob of `kind`; None: such keys are refused."""
    return _PARTS.get(kind)


def _not_taken(kind: str) -> str:
    shown = visible(kind, 60)
    if option := _OPTION.match(kind):
        return _OPTIONS_INSTEAD.get(option[0].lower(), _NO_OPTIONS).format(visible(option[0], 40))
    if "-cert-v01@" in kind:
        return f"{shown} is a certificate; give the public key itself"
    if kind in ("ssh-dss", "ssh-dsa"):
        return "DSA keys are too weak; use ssh-ed25519"
    return f"{shown} is not a type of key that is taken ({', '.join(_PARTS)})"


def _fields(kind: str, blob: bytes) -> list[bytes]:
    """Return the strings that follow the type in the blob (RFC 4253 6.6, RFC 5656, RFC 8709)."""
    found: list[bytes] = []
    at = 0
    while at < len(blob):
        if at + 4 > len(blob):
            raise CredentialError(_broken(kind))
        (length,) = struct.unpack_from(">I", blob, at)
        at += 4
        if length > len(blob) - at:
            raise CredentialError(_broken(kind))
        found.append(blob[at : at + length])
        at += length
    if len(found) != _PARTS[kind] + 1 or found[0] != kind.encode("ascii"):
        raise CredentialError(_broken(kind))
    return found[1:]


def _check(kind: str, fields: list[bytes]) -> None:
    match kind:
        case "ssh-ed25519" | "sk-ssh-ed25519@openssh.com":
            whole = len(fields[0]) == 32
        case "ssh-rsa":
            bits = int.from_bytes(fields[1], "big").bit_length()
            if bits < SMALLEST_RSA:
                raise CredentialError(
                    f"the RSA key has {bits} bits, at least {SMALLEST_RSA} are needed; "
                    "use ssh-ed25519"
                )
            exponent = int.from_bytes(fields[0], "big")
            whole = exponent > 2 and exponent % 2 == 1 and bits <= 16384
        case "sk-ecdsa-sha2-nistp256@openssh.com":
            whole = fields[0] == b"nistp256" and len(fields[1]) == 65 and fields[1][0] == 4
        case _:
            curve, length = _CURVES[kind]
            whole = fields[0] == curve and len(fields[1]) == length and fields[1][0] == 4
    if not whole:
        raise CredentialError(_broken(kind))


def _broken(kind: str) -> str:
    return f"the {kind} key is damaged; was the line cut or wrapped?"


_PARTS = {
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "ssh-rsa": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
"""The types that are taken, and how many strings follow the type in the blob."""
