"""Credentials open from files that are ours alone, and never show what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from psm_console.credentials import (
    CredentialError,
    KeyCredential,
    PasswordCredential,
    check_credential,
    make_key,
    open_credential,
)
from psm_console.domain.inventory import CredentialRef, KeyFile, PasswordFile


def password_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> PasswordFile:
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(mode)
    return PasswordFile(str(path))


def test_a_key_file_opens(tmp_path: Path) -> None:
    make_key(tmp_path / "key", "")
    ref = KeyFile(str(tmp_path / "key"))

    check_credential(ref)
    opened = open_credential(ref)

    assert isinstance(opened, KeyCredential)
    assert opened.key.algorithm == b"ssh-ed25519"
    assert "PRIVATE" not in repr(opened)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"pa ss\n", b"pa ss"),
        (b"pa ss", b"pa ss"),
        (b"pass\r\nsecond line\n", b"pass"),
        ("pässwörd\n".encode(), "pässwörd".encode()),
        (b" spaces count \n", b" spaces count "),
    ],
)
def test_the_password_is_the_first_line(tmp_path: Path, content: bytes, password: bytes) -> None:
    opened = open_credential(password_file(tmp_path, content))

    assert isinstance(opened, PasswordCredential)
    assert opened.password.reveal() == password


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\nx", b"canary\xff\n"])
def test_a_file_without_a_usable_password_is_a_sentence_without_it(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(CredentialError) as caught:
        open_credential(password_file(tmp_path, content))

    assert "canary" not in str(caught.value)


@pytest.mark.attack
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o620])
def test_a_file_that_others_could_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    ref = password_file(tmp_path, b"canary\n", mode)

    for use in (open_credential, check_credential):
        with pytest.raises(CredentialError, match="chmod 600") as caught:
            use(ref)
        assert "canary" not in str(caught.value)


@pytest.mark.attack
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = password_file(tmp_path, b"x\n")
    os.chown(ref.path, 1234, -1) if os.geteuid() == 0 else monkeypatch.setattr(
        os, "geteuid", lambda: os.stat(ref.path).st_uid + 1
    )

    with pytest.raises(CredentialError, match="another user"):
        open_credential(ref)


@pytest.mark.attack
def test_what_is_no_file_is_a_sentence_and_hangs_nobody(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "huge").chmod(0o600)

    for name in ("folder", "fifo", "huge", "missing", "nul\0", "\x1b[31m"):
        refs: list[CredentialRef] = [
            KeyFile(f"{tmp_path}/{name}"),
            PasswordFile(f"{tmp_path}/{name}"),
        ]
        for ref in refs:
            for use in (open_credential, check_credential):
                with pytest.raises(CredentialError) as caught:
                    use(ref)
                assert str(caught.value).isprintable()
