"""The host CA vouches for one name at a time, for a short while, under a key that stays."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import asyncssh
import pytest

from psm_console.credentials import (
    CredentialError,
    HostCa,
    fingerprint,
    known_hosts_line,
    make_key,
    promote,
    public_line,
    read_public,
)
from psm_console.credentials.ca import VALID_S
from tests.support.tools import need

NOON = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "host_ca"
    make_key(made, "ca")
    return made


@pytest.mark.attack
def test_a_certificate_is_for_a_host_of_exactly_this_name_and_a_short_time(path: Path) -> None:
    need("ssh-keygen")
    found = HostCa(path, lambda: NOON).identity("db1")

    written = path.with_name("db1-cert.pub")
    written.write_bytes(found.certificate.export_certificate())
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", str(written)],
        capture_output=True,
        text=True,
        check=True,
        env={"TZ": "UTC", "PATH": os.environ["PATH"]},
    ).stdout

    assert "ssh-ed25519-cert-v01@openssh.com host certificate" in shown
    assert re.search(r"Principals: \n\s+db1\n\s+Critical Options: \(none\)", shown)
    assert f"Signing CA: ED25519 {fingerprint(public_line(path))}" in shown
    assert "Valid: from 2027-01-15T07:50:00 to 2027-01-16T08:00:00" in shown


def test_each_name_has_a_key_of_its_own_that_no_restart_changes(path: Path) -> None:
    first, second = HostCa(path, Clock()), HostCa(path, Clock())

    keys = {name: first.identity(name).key.public_data for name in ("db1", "db2", "db1.x")}

    assert {name: second.identity(name).key.public_data for name in keys} == keys
    own = asyncssh.import_public_key(public_line(path)).public_data
    assert len({*keys.values(), own}) == 4


def test_a_certificate_is_made_again_before_it_ends_and_when_the_clock_was_set_back(
    path: Path,
) -> None:
    clock = Clock()
    ca = HostCa(path, clock)
    first = ca.identity("db1")

    clock.now += VALID_S / 2 - 1
    assert ca.identity("db1") is first
    clock.now += 2
    second = ca.identity("db1")
    assert second is not first and second.key.public_data == first.key.public_data
    clock.now = 0.0
    assert ca.identity("db1").made_at == 0.0


def test_another_key_in_its_place_is_taken_up_and_none_is_an_error_that_says_what_to_do(
    path: Path, tmp_path: Path
) -> None:
    ca = HostCa(path, Clock())
    before = ca.identity("db1")
    prepared = tmp_path / "next_host_ca"
    line = make_key(prepared, "ca")

    assert promote(prepared, path).split()[:2] == line.split()[:2]

    after = ca.identity("db1")
    assert after.key.public_data != before.key.public_data
    assert read_public(path).split()[:2] == line.split()[:2]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["host_ca", "host_ca.pub"]
    path.unlink()
    with pytest.raises(CredentialError, match="psm ca init"):
        ca.identity("db1")


@pytest.mark.attack
@pytest.mark.parametrize(
    "name", ["", "..", "DB1", "db1,db2", "*", "db 1", "db1\n", "dｂ1", "a" * 65]
)
def test_nobody_is_vouched_for_who_could_not_be_a_target(path: Path, name: str) -> None:
    with pytest.raises(CredentialError, match="no target's name"):
        HostCa(path, Clock()).identity(name)


@pytest.mark.attack
def test_a_ca_key_that_others_can_read_signs_nothing(path: Path) -> None:
    path.chmod(0o644)
    with pytest.raises(CredentialError, match="chmod 600"):
        HostCa(path, Clock()).identity("db1")


def test_the_public_line_is_read_where_only_the_public_half_may_be(path: Path) -> None:
    line = public_line(path, "ca")
    assert read_public(path) == line
    path.chmod(0)
    assert read_public(path) == line
    path.chmod(0o600)
    path.with_name("host_ca.pub").unlink()
    assert read_public(path).split() == line.split()[:2]
    assert known_hosts_line(line, "db1,db2") == f"@cert-authority db1,db2 {line}"


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_what_is_no_key_is_promoted_by_nobody(path: Path, tmp_path: Path, text: str) -> None:
    before = path.read_bytes()
    prepared = tmp_path / "next_host_ca"
    prepared.touch(0o600)
    prepared.write_text(text)

    with pytest.raises(CredentialError):
        promote(prepared, path)

    assert path.read_bytes() == before and read_public(path)
