"""Checkpoints are SSHSIG signatures that OpenSSH understands, and trust is narrow."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from psm_console.recording import sshsig
from psm_console.recording.events import RecordingError
from psm_console.recording.signing import SignatureState, Signer, TrustedKeys

from .making import signer_of, trusted


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)


def armoured(signature: str) -> str:
    return f"-----BEGIN SSH SIGNATURE-----\n{signature}\n-----END SSH SIGNATURE-----\n"


def test_ssh_keygen_verifies_what_a_signer_signed(tmp_path: Path) -> None:
    signer = signer_of()
    (tmp_path / "allowed").write_text(signer.allowed_signers_line + "\n")
    (tmp_path / "sig").write_text(armoured(signer.sign(b"message\n")))

    verdict = subprocess.run(
        [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            "allowed",
            "-I",
            "psm",
            "-n",
            "psm-recording",
            "-s",
            "sig",
        ],
        cwd=tmp_path,
        input=b"message\n",
        capture_output=True,
    )

    assert verdict.returncode == 0, verdict.stderr


def test_a_signature_by_ssh_keygen_is_good_only_in_our_namespace(tmp_path: Path) -> None:
    write_key(tmp_path / "key", Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
    states = []
    for namespace in ("psm-recording", "git"):
        made = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-f", "key", "-n", namespace],
            cwd=tmp_path,
            input=b"message",
            capture_output=True,
            check=True,
        ).stdout.decode()
        body = "".join(made.splitlines()[1:-1])
        states.append(trusted().check(body, b"message"))

    assert states == [SignatureState.GOOD, SignatureState.BAD]


def test_a_signer_loads_the_key_that_openssh_wrote(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    write_key(tmp_path / "key", key)

    assert Signer.load(tmp_path / "key").fingerprint == signer_of().fingerprint


@pytest.mark.parametrize("content", [None, b"", b"not a key", b"\xff" * 100])
def test_a_recording_key_that_is_none_is_refused_with_a_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)

    with pytest.raises(RecordingError, match=r"recording key .* run psm init"):
        Signer.load(tmp_path / "key")


@pytest.mark.attack
@pytest.mark.parametrize(
    "line",
    [
        "psm ssh-ed25519 {key}",
        'psm namespaces="git" ssh-ed25519 {key}',
        'psm namespaces="*" ssh-ed25519 {key}',
        'psm namespaces="psm-recording",cert-authority ssh-ed25519 {key}',
        "psm cert-authority ssh-ed25519 {key}",
        'psm namespaces="psm-recording" ssh-rsa {key}',
        "garbage",
    ],
)
def test_a_line_that_trusts_more_than_recordings_is_refused(line: str) -> None:
    key = signer_of().allowed_signers_line.split()[-1]

    with pytest.raises(RecordingError, match="line 2"):
        TrustedKeys.parse("# keys\n" + line.format(key=key))


def test_a_key_nobody_trusts_is_unknown_and_a_changed_message_is_bad() -> None:
    signature = signer_of(1).sign(b"message")

    assert trusted(2).check(signature, b"message") is SignatureState.KEY_UNKNOWN
    assert trusted(1).check(signature, b"massage") is SignatureState.BAD


@pytest.mark.attack
def test_no_cut_or_flipped_signature_is_good_or_raises() -> None:
    blob = base64.b64decode(signer_of().sign(b"message"))
    keys = trusted()
    cuts = [blob[:end] for end in range(len(blob))] + [blob + b"\0"]
    flips = [
        blob[:at] + bytes([blob[at] ^ 1 << bit]) + blob[at + 1 :]
        for at in range(len(blob))
        for bit in range(0, 8, 3)
    ]

    for mutant in cuts + flips:
        state = keys.check(base64.b64encode(mutant).decode(), b"message")
        assert state is not SignatureState.GOOD
    assert keys.check("é not base64", b"message") is SignatureState.BAD


@pytest.mark.attack
def test_a_signature_has_one_spelling() -> None:
    blob = base64.b64decode(signer_of().sign(b"message"))
    at = blob.index(b"psm-recording") + len(b"psm-recording")
    assert blob[at : at + 4] == b"\0\0\0\0"
    with_more = blob[:at] + b"\0\0\0\1x" + blob[at + 4 :]

    state = trusted().check(base64.b64encode(with_more).decode(), b"message")

    assert state is SignatureState.BAD


def test_what_is_no_signature_of_ours_is_told() -> None:
    with pytest.raises(sshsig.SignatureFormatError):
        sshsig.check(base64.b64encode(b"SSHSIG\0\0\0\2").decode(), b"psm-recording", b"")
