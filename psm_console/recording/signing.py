"""Checkpoints: a signed statement of what a file held up to an offset, and whose keys count."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from . import sshsig
from .events import RecordingError, instant

NAMESPACE = "psm-recording"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first `offset` bytes of `file` had this SHA-256 (hexadecimal) at that instant."""

    file: str
    offset: int
    sha256: str
    at: datetime
    signature: str
    """Base64 of the SSHSIG blob."""


def message(session: str, file: str, offset: int, sha256: str, at: str) -> bytes:
    """Return what is signed; session and file name are in it, so files can not be exchanged."""
    return f"psm-recording/1\n{session}\n{file}\n{offset}\n{sha256}\n{at}\n".encode()


class Signer:
    """Signs checkpoints with one Ed25519 key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._blob = sshsig.public_blob(key.public_key())

    @classmethod
    def load(cls, path: Path) -> Signer:
        """Return a signer for the unencrypted OpenSSH key in `path`; raises RecordingError."""
        try:
            key = load_ssh_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not an OpenSSH key"
            raise RecordingError(
                f"the recording key {path} can not be used: {why}; run psm init"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise RecordingError(f"the recording key {path} is not an Ed25519 key; run psm init")
        return cls(key)

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` of the public key."""
        return sshsig.fingerprint(self._blob)

    @property
    def allowed_signers_line(self) -> str:
        """The line for an allowed_signers file that trusts this key for recordings only."""
        key = base64.b64encode(self._blob).decode()
        return f'psm namespaces="{NAMESPACE}" ssh-ed25519 {key}'

    def sign(self, data: bytes) -> str:
        """Return the base64 of an SSHSIG over `data` in the namespace of recordings."""
        blob = sshsig.sign(self._key, self._blob, NAMESPACE.encode(), data)
        return base64.b64encode(blob).decode()

    def checkpoint(
        self, session: str, file: str, offset: int, sha256: str, at: datetime
    ) -> Checkpoint:
        """Return the signed statement that `file` starts with `offset` bytes of that hash."""
        signature = self.sign(message(session, file, offset, sha256, instant(at)))
        return Checkpoint(file, offset, sha256, at, signature)


class SignatureState(Enum):
    """What a signature turned out to be."""

    GOOD = auto()
    BAD = auto()
    KEY_UNKNOWN = auto()


_LINE = re.compile(
    r"(?P<principals>\S+)[ \t]+"
    r'(?:(?P<options>[A-Za-z][A-Za-z-]*(?:="[^"]*")?(?:,[A-Za-z-]+(?:="[^"]*")?)*)[ \t]+)?'
    r"(?P<type>ssh-ed25519)[ \t]+(?P<key>[A-Za-z0-9+/]+={0,2})(?:[ \t].*)?"
)


class TrustedKeys:
    """The keys whose signatures count, from a file as `ssh-keygen -Y verify -f` reads it."""

    def __init__(self, keys: Mapping[bytes, str]) -> None:
        self._keys = dict(keys)
        """Wire format of the key to the principals of its line."""

    @classmethod
    def read(cls, path: Path) -> TrustedKeys:
        """Return the keys in `path`; raises RecordingError with a sentence."""
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise RecordingError(f"the trusted keys in {path} can not be read: {why}") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, source: str = "allowed_signers") -> TrustedKeys:
        """Return the keys in `text`; raises RecordingError for a line that would trust too much.

        A line without `namespaces=` accepts signatures that its key made for anything, git commits
        and e-mails included, so it is refused.
        """
        keys: dict[bytes, str] = {}
        for number, line in enumerate(text.split("\n"), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                raise RecordingError(f"{source} line {number} is not a line for an Ed25519 key")
            if match["options"] != f'namespaces="{NAMESPACE}"':
                raise RecordingError(
                    f'{source} line {number} must say namespaces="{NAMESPACE}" and no other option,'
                    " or signatures made for other purposes would count"
                )
            keys[_key_bytes(match["key"], source, number)] = match["principals"]
        return cls(keys)

    def check(self, signature: str, data: bytes) -> SignatureState:
        """Say what `signature` (base64) is worth for `data`; never raises."""
        try:
            blob, holds = sshsig.check(signature, NAMESPACE.encode(), data)
        except (sshsig.SignatureFormatError, UnicodeError):
            return SignatureState.BAD
        if blob not in self._keys:
            return SignatureState.KEY_UNKNOWN if holds else SignatureState.BAD
        return SignatureState.GOOD if holds else SignatureState.BAD


def _key_bytes(text: str, source: str, number: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RecordingError(f"{source} line {number} holds a key that is not base64") from error
