"""Security keys (FIDO) log in as keys do; what their signatures attest is asked for."""

from __future__ import annotations

import base64
import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from psm_console.domain.inventory import Group
from psm_console.domain.policy import LoginPolicy, Policy
from tests.support.authority import Authority
from tests.support.security_key import SecurityKey
from tests.support.tools import find_tool

from .stand import Stand


def enter(
    stand: Stand, key: SecurityKey, folder: Path, **changes: object
) -> subprocess.CompletedProcess[bytes]:
    """Log in as ana, to whom the inventory gives this key alone, with real ssh."""
    inventory = stand.inventory()
    keys = () if key.certificate else (key.line,)
    ana = dataclasses.replace(inventory.identities["ana"], keys=keys, **changes)  # type: ignore[arg-type]
    stand.apply(dataclasses.replace(inventory, identities={"ana": ana}, groups=groups(folder)))
    own, stand.client.key = stand.client.key, folder / "none"
    try:
        with key.agent(folder / "a") as options:
            return stand.client.run(stand.user, "echo in", options=options)
    finally:
        stand.client.use_key(own)


def groups(folder: Path) -> dict[str, Group]:
    ca = folder / "ca.pub"
    return {"ops": Group("ops", (ca.read_text().strip(),))} if ca.exists() else {}


@pytest.fixture
def policy(stand: Stand) -> Iterator[Callable[[LoginPolicy], None]]:
    """Set the login policy of the running broker."""
    file = stand.broker.running.worker._policy_file
    before = file.policy

    def change(login: LoginPolicy) -> None:
        file.policy = dataclasses.replace(Policy(), login=login)

    yield change
    file.policy = before


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_touched_security_key_lets_its_owner_in(stand: Stand, tmp_path: Path, kind: str) -> None:
    key = SecurityKey(kind)

    assert enter(stand, key, tmp_path).stdout == b"in\n"
    assert key.signed == 1


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_one_that_nobody_touched_is_refused_unless_policy_lets_it(
    stand: Stand, tmp_path: Path, kind: str, policy: Callable[[LoginPolicy], None]
) -> None:
    key = SecurityKey(kind, touched=False)

    refused = enter(stand, key, tmp_path)
    assert refused.returncode == 255 and b"was not touched for this login" in refused.stderr
    policy(LoginPolicy(touch_required=False))
    assert enter(stand, key, tmp_path).stdout == b"in\n"


@pytest.mark.attack
def test_verify_required_wants_a_signature_that_attests_its_user(
    stand: Stand, tmp_path: Path
) -> None:
    refused = enter(stand, SecurityKey(), tmp_path, verify_required=True)
    assert refused.returncode == 255
    assert b"ana needs a security key that verifies its user" in refused.stderr

    assert enter(stand, SecurityKey(verified=True), tmp_path, verify_required=True).stdout


@pytest.mark.attack
def test_policy_may_ask_it_of_all_and_an_identity_may_be_let_off(
    stand: Stand, tmp_path: Path, policy: Callable[[LoginPolicy], None]
) -> None:
    policy(LoginPolicy(verify_required=True))

    assert enter(stand, SecurityKey(), tmp_path).returncode == 255
    assert enter(stand, SecurityKey(), tmp_path, verify_required=False).stdout == b"in\n"
    # An ordinary key attests nothing at all.
    stand.apply(stand.inventory())
    refused = stand.client.run(stand.user, "id")
    assert refused.returncode == 255 and b"needs a security key" in refused.stderr


@pytest.mark.attack
def test_a_certificates_verify_required_is_asked_of_the_signature(
    stand: Stand, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    answers = []
    for verified in (False, True):
        key = SecurityKey(verified=verified)
        public = tmp_path / f"sk-{verified}.pub"
        public.write_text(key.line + "\n")
        keygen = find_tool("ssh-keygen")
        assert keygen is not None
        options = ["-I", "sk", "-n", "ana", "-O", "verify-required"]
        subprocess.run([keygen, "-q", "-s", str(authority.key), *options, str(public)], check=True)
        text = (tmp_path / f"sk-{verified}-cert.pub").read_text().split()[1]
        key.certificate = base64.b64decode(text)
        answers.append(enter(stand, key, tmp_path, groups=("ops",)).stdout)

    assert answers == [b"", b"in\n"]


@pytest.fixture(autouse=True)
def fresh_inventory(stand: Stand) -> None:
    stand.apply(stand.inventory())
