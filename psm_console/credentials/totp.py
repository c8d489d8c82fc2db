"""One-time codes (RFC 6238, six digits, 30 s) of a login's second step, against a secret file."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from psm_console.domain.text import visible

from .errors import CredentialError
from .private_file import check_private, read_private
from .secret import Secret

STEP_S = 30
SKEW = 1
"""Steps that a clock may be off, each way."""
_DIGITS = 6
_SHORTEST = 10
"""Bytes of a secret: the 16 characters that authenticator apps make."""


def check_totp(path: str) -> None:
    """Raise CredentialError when the file is missing or open to others; reads no secret."""
    name = visible(path, 200)
    try:
        check_private(os.stat(path), name)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "its name can not be used"
        raise CredentialError(f"{name} can not be used: {said}") from None


def matching_step(path: str, code: str, now: float) -> int | None:
    """Return the time step whose code `code` is at `now` (Unix time), or None.

    Raises CredentialError when the file can not be read; blocks on the disk. All steps are
    compared, so that the time says nothing about which was near.
    """
    import pyotp

    codes = pyotp.TOTP(_secret(Path(path)).reveal().decode("ascii"), interval=STEP_S)
    typed = "".join(code.split())
    if len(typed) != _DIGITS or not (typed.isascii() and typed.isdecimal()):
        typed = "x" * _DIGITS
    middle, found = int(now) // STEP_S, None
    for step in range(middle - SKEW, middle + SKEW + 1):
        if hmac.compare_digest(codes.generate_otp(step), typed):
            found = step
    return found


def _secret(path: Path) -> Secret:
    """Return the base32 text on the file's first line, as authenticator apps show it."""
    import base64
    import binascii

    line = read_private(path).split(b"\n", 1)[0]
    text = b"".join(line.replace(b"-", b"").split()).upper().rstrip(b"=")
    name = visible(str(path), 200)
    try:
        size = len(base64.b32decode(text + b"=" * (-len(text) % 8)))
    except (binascii.Error, ValueError):
        # From None: the error's own words could hold the secret.
        raise CredentialError(f"{name} holds no base32 secret on its first line") from None
    if size < _SHORTEST:
        raise CredentialError(
            f"{name} holds a secret of {size} bytes, too few; {_SHORTEST} or more"
        )
    return Secret(text)
