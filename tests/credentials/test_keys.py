"""Our keys are made once, kept to ourselves, and understood by everybody's ssh."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import asyncssh
import pytest

from psm_console.credentials import (
    CredentialError,
    ensure_key,
    ensure_signers,
    fingerprint,
    load_key,
    make_key,
    public_line,
    signers_line,
)
from tests.support.tools import need


def test_a_key_is_made_once_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "host_key"

    line = make_key(path, "psm host key")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert line.startswith("ssh-ed25519 ") and line.endswith(" psm host key")
    assert make_key(path, "psm host key") == line == public_line(path, "psm host key")
    assert (tmp_path / "host_key.pub").read_text() == f"{line}\n"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["host_key", "host_key.pub"]
    assert load_key(path).get_fingerprint() == fingerprint(line)
    assert ensure_key(path, "psm host key").get_fingerprint() == fingerprint(line)


@pytest.mark.fault
def test_a_new_key_is_on_the_disk_before_anybody_trusts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[bool] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        folders.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    make_key(tmp_path / "key", "")

    assert folders[:2] == [False, True]


def test_threads_that_make_a_key_at_once_agree_on_one(tmp_path: Path) -> None:
    path, lines, ready = tmp_path / "key", list[str](), threading.Barrier(8)

    def make() -> None:
        ready.wait(10)
        lines.append(make_key(path, "x"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(lines) == 8 and len(set(lines)) == 1
    assert public_line(path, "x") == lines[0]


def test_ssh_keygen_reads_the_key_and_agrees_on_its_fingerprint(tmp_path: Path) -> None:
    need("ssh-keygen")
    line = make_key(tmp_path / "key", "c")

    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key"], capture_output=True, text=True, check=True
    ).stdout

    assert fingerprint(line) in said


def test_ssh_keygen_takes_a_signature_for_our_namespace_and_no_other(tmp_path: Path) -> None:
    need("ssh-keygen")
    line = make_key(tmp_path / "key", "c")
    signers = tmp_path / "allowed_signers"
    ensure_signers(signers, line)
    message = tmp_path / "message"
    message.write_text("hello")

    for namespace, wanted in (("psm-recording", 0), ("git", 255)):
        (tmp_path / "message.sig").unlink(missing_ok=True)
        subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-f", f"{tmp_path}/key", "-n", namespace, str(message)],
            check=True,
            capture_output=True,
        )
        verify = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "psm", "-n", namespace]
        done = subprocess.run(
            [*verify, "-s", f"{message}.sig"], input=b"hello", capture_output=True
        )
        assert done.returncode == wanted, (namespace, done.stderr)


def test_the_signers_file_keeps_older_keys_and_repeats_none(tmp_path: Path) -> None:
    signers = tmp_path / "allowed_signers"
    old, new = make_key(tmp_path / "old", ""), make_key(tmp_path / "new", "")

    for line in (old, new, old):
        ensure_signers(signers, line)

    assert signers.read_text().splitlines() == [signers_line(old), signers_line(new)]
    assert all('namespaces="psm-recording"' in line for line in signers.read_text().splitlines())


@pytest.mark.attack
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_could_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    make_key(path, "")
    path.chmod(mode)

    with pytest.raises(CredentialError, match="chmod 600"):
        load_key(path)


def test_what_is_no_key_is_a_sentence_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content in (b"canary", b"-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n", b"", b"\xff\x00"):
        path.write_bytes(content)
        path.chmod(0o600)

        for use in (load_key, public_line):
            with pytest.raises(CredentialError) as caught:
                use(path)
            assert "canary" not in str(caught.value)
            assert caught.value.__suppress_context__


def test_a_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = asyncssh.generate_private_key("ssh-ed25519")
    path.write_bytes(made.export_private_key("pkcs8-pem", passphrase="secret"))
    path.chmod(0o600)

    with pytest.raises(CredentialError, match="passphrase"):
        load_key(path)


def test_a_folder_that_can_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="can not be made"):
        make_key(tmp_path / "none" / "key", "")


def test_credentials_load_asyncssh_only_when_a_key_is_opened() -> None:
    code = "import sys, psm_console.credentials; print('asyncssh' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
