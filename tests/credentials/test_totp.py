"""One-time codes: right for a step each way, and the secret shows nowhere."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest

from psm_console.credentials import CredentialError, check_totp, matching_step

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_800_000_015.0


def secret_file(folder: Path, text: str = SECRET, mode: int = 0o600) -> str:
    path = folder / "ana.totp"
    path.touch(mode=0o600)
    path.write_text(text + "\n")
    path.chmod(mode)
    return str(path)


def code(at: float) -> str:
    return pyotp.TOTP(SECRET).at(int(at))


def test_a_code_is_right_for_one_step_each_way(tmp_path: Path) -> None:
    path = secret_file(tmp_path)
    step = int(NOW) // 30

    found = [matching_step(path, code(NOW + off), NOW) for off in (-60, -30, 0, 30, 60)]

    assert found == [None, step - 1, step, step + 1, None]
    assert matching_step(path, f" {code(NOW)[:3]} {code(NOW)[3:]}", NOW) == step


@pytest.mark.parametrize("text", ["jbswy3dp ehpk3pxp jbswy3dp ehpk3pxp", f"{SECRET}===="])
def test_the_secret_may_stand_as_authenticator_apps_show_it(tmp_path: Path, text: str) -> None:
    assert matching_step(secret_file(tmp_path, text), code(NOW), NOW) is not None


@pytest.mark.attack
@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "0x1234", "-12345"])
def test_what_is_no_code_is_never_right(tmp_path: Path, typed: str) -> None:
    assert matching_step(secret_file(tmp_path), typed, NOW) is None


@pytest.mark.attack
@pytest.mark.parametrize("text", ["", "canary-1!", "CANARY2", "é" * 20])
def test_a_file_without_a_secret_is_told_without_its_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        matching_step(secret_file(tmp_path, text), "123456", NOW)

    said = f"{caught.value} {caught.value.__cause__}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not text or text not in said


@pytest.mark.attack
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = secret_file(tmp_path, mode=0o644)

    with pytest.raises(CredentialError, match="chmod 600"):
        matching_step(path, code(NOW), NOW)
    with pytest.raises(CredentialError, match="chmod 600"):
        check_totp(path)
    with pytest.raises(CredentialError, match="can not be used"):
        check_totp(str(tmp_path / "none"))
