"""Certificates are read as ssh-keygen writes them, and nothing else gets through the reader."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from psm_console.credentials import CredentialError, parse_certificate, parse_public_key
from psm_console.domain.certificate import FOREVER, HOST, USER, Certificate
from tests.support.sshd import write_key
from tests.support.tools import find_tool, need


def sign(folder: Path, *options: str, kind: str = "ed25519") -> bytes:
    """Return the blob of a certificate that ssh-keygen signed with `options`."""
    need("ssh-keygen")
    keygen = find_tool("ssh-keygen")
    assert keygen is not None
    if not (folder / "ca").exists():
        write_key(folder / "ca", "ca")
    key = folder / f"id_{kind}"
    key.unlink(missing_ok=True)
    subprocess.run([keygen, "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    subprocess.run(
        [keygen, "-q", "-s", str(folder / "ca"), *options, f"{key}.pub"],
        check=True,
        capture_output=True,
    )
    return base64.b64decode((folder / f"id_{kind}-cert.pub").read_text().split()[1])


def parsed(blob: bytes) -> Certificate:
    found = parse_certificate(blob)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_all_that_ssh_keygen_signs_is_read(tmp_path: Path, kind: str) -> None:
    options = ["-I", "ana's laptop", "-z", "42", "-n", "ana,root", "-V", "0x10:0x20"]
    options += ["-O", "source-address=10.0.0.0/8,::1", "-O", "verify-required", "-O", "no-pty"]

    found = parsed(sign(tmp_path, *options, kind=kind))

    plain = parse_public_key((tmp_path / f"id_{kind}.pub").read_text())
    authority = parse_public_key((tmp_path / "ca.pub").read_text())
    assert (found.key_type, found.key) == (plain.type, plain.blob)
    assert found.authority == authority.blob
    assert (found.kind, found.serial, found.key_id) == (USER, 42, "ana's laptop")
    assert found.principals == ("ana", "root")
    assert (found.valid_after, found.valid_before) == (16, 32)
    assert found.source_addresses == ("10.0.0.0/8", "::1/128")
    assert found.verify_required and found.refused_options == ()
    assert "permit-pty" not in found.permits and "permit-port-forwarding" in found.permits


def test_host_certificates_and_forced_commands_are_told_as_such(tmp_path: Path) -> None:
    host = parsed(sign(tmp_path, "-h", "-I", "h", "-n", "db1"))
    forced = parsed(sign(tmp_path, "-I", "f", "-n", "ana", "-O", "force-command=id"))
    odd = parsed(sign(tmp_path, "-I", "o", "-n", "ana", "-O", "critical:wear-a-hat=yes"))

    assert host.kind == HOST and host.valid_before == FOREVER
    assert forced.refused_options == ("force-command",)
    assert odd.refused_options == ("wear-a-hat",)


@pytest.mark.attack
def test_a_certificate_that_was_cut_anywhere_is_refused(tmp_path: Path) -> None:
    blob = sign(tmp_path, "-I", "x", "-n", "ana", "-O", "source-address=10.0.0.0/8")

    for length in range(40, len(blob)):
        with pytest.raises(CredentialError):
            parse_certificate(blob[:length])
    with pytest.raises(CredentialError):
        parse_certificate(blob + b"\0")


@pytest.mark.attack
def test_an_option_that_says_what_it_can_not_is_refused(tmp_path: Path) -> None:
    blob = sign(tmp_path, "-I", "x", "-n", "ana", "-O", "verify-required")
    # The option's empty value becomes one byte long; the lengths around it are put right.
    name = b"\0\0\0\x0fverify-required"
    at = blob.index(name)
    options = name + b"\0\0\0\x01x"
    odd = blob[: at - 4] + len(options).to_bytes(4, "big") + options + blob[at + len(name) + 4 :]

    with pytest.raises(CredentialError):
        parse_certificate(odd)


@pytest.mark.attack
@given(st.binary(max_size=300))
@example(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com" + b"\xff" * 40)
@example(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com" + b"\0\0\0\0" * 12)
def test_strange_bytes_are_no_certificate_or_a_damaged_one(data: bytes) -> None:
    for blob in (data, b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com" + data):
        try:
            parse_certificate(blob)
        except CredentialError:
            continue
