"""Public key lines: all kinds that clients have are taken, what is damaged or weak is named."""

from __future__ import annotations

import base64
import struct

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_console.credentials import CredentialError, fingerprint, parse_public_key
from psm_console.domain.text import HIDDEN

KINDS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]


def line_of(kind: str, comment: str = "ana@home") -> str:
    made = asyncssh.generate_private_key(kind, comment=comment)
    return made.export_public_key().decode().strip()


def packed(*fields: bytes) -> str:
    blob = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return base64.b64encode(blob).decode()


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_reads_back_and_has_ssh_s_fingerprint(kind: str) -> None:
    line = line_of(kind)

    key = parse_public_key(line)

    assert (key.type, key.comment, key.line) == (kind, "ana@home", line)
    assert fingerprint(line) == asyncssh.import_public_key(line).get_fingerprint()
    assert parse_public_key(f"  {kind}\t{key.encoded}\n").blob == key.blob


def test_rsa_is_taken_from_2048_bits() -> None:
    strong = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    weak = packed(b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 128)

    assert parse_public_key(strong.export_public_key().decode()).type == "ssh-rsa"
    with pytest.raises(CredentialError, match="1024 bits"):
        parse_public_key(f"ssh-rsa {weak}")


def test_keys_in_hardware_are_taken() -> None:
    kind = "sk-ssh-ed25519@openssh.com"

    assert parse_public_key(f"{kind} {packed(kind.encode(), b'k' * 32, b'ssh:')}").type == kind


@pytest.mark.attack
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "expected a public key line"),
        ("ssh-ed25519", "expected a public key line"),
        ("ssh-ed25519 AAAA!", "not base64"),
        ("ssh-ed25519 ééé", "not base64"),
        ("ssh-ed25519 AAAA", "damaged"),
        (f"ssh-ed25519 {packed(b'ssh-ed25519', b'x' * 31)}", "damaged"),
        (f"ssh-ed25519 {packed(b'ssh-rsa', b'x' * 32)}", "damaged"),
        (f"ssh-ed25519 {packed(b'ssh-ed25519', b'x' * 32, b'more')}", "damaged"),
        (f"ssh-rsa {packed(b'ssh-rsa', b'', b'')}", "0 bits"),
        ("ssh-dss AAAA", "too weak"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "is a certificate"),
        ('from="10.*" ssh-ed25519 AAAA', "sign certificates with source-address"),
        ("restrict ssh-ed25519 AAAA", "restrict before a key would not be obeyed"),
        ("restrict,pty ssh-ed25519 AAAA", "restrict before a key would not be obeyed"),
        ('command="id" ssh-ed25519 AAAA', "command before a key would not be obeyed"),
        ("verify-required ssh-ed25519 AAAA", "verify_required = true"),
        ("no-touch-required sk-ssh-ed25519@openssh.com AAAA", "touch_required in config.toml"),
        ('expiry-time="20300101" ssh-ed25519 AAAA', "expires_at"),
        ("cert-authority ssh-ed25519 AAAA", "cert_authority of a group"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key"),
        ("ssh-\x1b[31mred AAAA", "ssh-\\x1b[31mred"),
        ("ssh-ed25519 " + "A" * 20000, "too many"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, said: str) -> None:
    with pytest.raises(CredentialError) as caught:
        parse_public_key(line)

    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_line_wrapped_by_a_mail_program_is_damaged() -> None:
    line = line_of("ssh-ed25519")

    with pytest.raises(CredentialError):
        parse_public_key(line[:50] + "\n" + line[50:])


@pytest.mark.attack
@settings(deadline=None)
@given(
    st.text(max_size=200)
    | st.binary(max_size=90).map(lambda data: "ssh-ed25519 " + base64.b64encode(data).decode())
)
def test_nothing_but_a_sentence_comes_out_of_any_text(text: str) -> None:
    try:
        key = parse_public_key(text)
    except CredentialError as error:
        assert not HIDDEN.search(str(error))
    else:
        assert asyncssh.import_public_key(f"{key.type} {key.encoded}")
