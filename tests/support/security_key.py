"""A FIDO security key made of software, behind an ssh-agent of its own: real ssh logs in with it.

The wire forms are PROTOCOL.u2f and PROTOCOL.agent of OpenSSH.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_APPLICATION = b"ssh:"
_LIST, _LISTED, _SIGN, _SIGNED, _FAILED = 11, 12, 13, 14, 5


def string(data: bytes) -> bytes:
    """Return `data` as RFC 4251 writes a string."""
    return struct.pack(">I", len(data)) + data


@dataclass
class SecurityKey:
    """Signs with the flags that it is given; `kind` is `ed25519` or `ecdsa`."""

    kind: str = "ed25519"
    touched: bool = True
    verified: bool = False
    certificate: bytes | None = None
    """Offered in place of the key, once set."""
    signed: int = 0
    _ed: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    _ec: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def type(self) -> bytes:
        if self.kind == "ed25519":
            return b"sk-ssh-ed25519@openssh.com"
        return b"sk-ecdsa-sha2-nistp256@openssh.com"

    @property
    def blob(self) -> bytes:
        if self.kind == "ed25519":
            public = self._ed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            parts = string(public)
        else:
            point = self._ec.public_key().public_bytes(
                Encoding.X962, PublicFormat.UncompressedPoint
            )
            parts = string(b"nistp256") + string(point)
        return string(self.type) + parts + string(_APPLICATION)

    @property
    def line(self) -> str:
        """The public key as an inventory says it."""
        return f"{self.type.decode()} {base64.b64encode(self.blob).decode()}"

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data`, whose flags are part of what is signed."""
        self.signed += 1
        flags = bytes([self.touched | (self.verified << 2)])
        counter = struct.pack(">I", self.signed)
        message = hashlib.sha256(_APPLICATION).digest() + flags + counter
        message += hashlib.sha256(data).digest()
        if self.kind == "ed25519":
            made = self._ed.sign(message)
        else:
            r, s = decode_dss_signature(self._ec.sign(message, ec.ECDSA(hashes.SHA256())))
            made = b"".join(string(n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in (r, s))
        return string(self.type) + string(made) + flags + counter

    @contextlib.contextmanager
    def agent(self, path: Path) -> Iterator[list[str]]:
        """Run an agent that holds this key alone; yields the options with which ssh uses it."""
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen()
            serving = threading.Thread(target=self._serve, args=(listening,), daemon=True)
            serving.start()
            options = ["-o", f"IdentityAgent={path}", "-o", "IdentitiesOnly=no"]
            try:
                yield options
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                serving.join(10)
                path.unlink()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, contextlib.suppress(ConnectionError, struct.error):
                while True:
                    (size,) = struct.unpack(">I", client.recv(4, socket.MSG_WAITALL))
                    client.sendall(string(self._answer(client.recv(size, socket.MSG_WAITALL))))

    def _answer(self, request: bytes) -> bytes:
        if request[0] == _LIST:
            offered = self.certificate or self.blob
            return bytes([_LISTED]) + struct.pack(">I", 1) + string(offered) + string(b"soft")
        if request[0] == _SIGN:
            (size,) = struct.unpack_from(">I", request, 1)
            (length,) = struct.unpack_from(">I", request, 5 + size)
            return bytes([_SIGNED]) + string(self.sign(request[9 + size : 9 + size + length]))
        return bytes([_FAILED])
