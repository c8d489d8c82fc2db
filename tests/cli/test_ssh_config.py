"""`psm ca` and `psm ssh-config` print what ssh understands, and nothing that ssh would run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from psm_console.cli.ssh_config import known_lines, stanza
from psm_console.operations import WayIn
from psm_console.store import Home
from tests.support.broker import InventoryText
from tests.support.sshd import write_key
from tests.support.tools import need

from .conftest import Psm

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFQjoT2VgzKoXnePR3NbJq7Jw7hKuwQqJz0sYfWy8mV9"


@pytest.fixture
def inventory(psm: Psm, tmp_path: Path) -> None:
    """ana may work on db1 and on web1, bo on web1."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    text = InventoryText()
    for name in ("ana", "bo"):
        text.identity(name, write_key(tmp_path / name))
    for name in ("db1", "web1"):
        text.blocks.append(
            f'[targets.{name}]\naddress = "10.0.0.5:22"\nhost_keys = ["{_KEY}"]\n'
            f'[targets.{name}.accounts.root]\ncredential = {{ password_file = "{secret}" }}\n'
        )
    for operator, target in (("ana", "db1"), ("ana", "web1"), ("bo", "web1")):
        text.grant(operator, f"root@{target}")
    (tmp_path / "inventory.toml").write_text(text.text())
    assert psm("apply", str(tmp_path / "inventory.toml")).code == 0


def test_ssh_reads_the_stanza_as_it_is_meant(
    psm: Psm,
    inventory: None,
    tmp_path: Path,
) -> None:
    need("ssh")
    printed = psm("ssh-config", "--user", "ana", "--host", "broker.example", "--port", "2200")
    assert printed.code == 0 and "--known-hosts" in printed.err
    config = tmp_path / "config"
    config.write_text(printed.out)

    def reads(host: str) -> dict[str, str]:
        argv = ["ssh", "-F", str(config), "-G", host]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)

    assert {reads(name)["proxyjump"] for name in ("db1", "web1")} == {"psm"}
    jump = reads("psm")
    assert (jump["hostname"], jump["port"], jump["user"]) == ("broker.example", "2200", "ana")
    assert "proxyjump" not in jump and "proxyjump" not in reads("elsewhere")


def test_only_targets_that_the_operator_may_reach_are_listed(
    psm: Psm,
    inventory: None,
) -> None:
    bo = json.loads(psm("ssh-config", "--user", "bo", "--json").out)
    everybody = json.loads(psm("ssh-config", "--json").out)

    assert (bo["targets"], bo["user"]) == (["web1"], "bo")
    assert (everybody["targets"], everybody["user"]) == (["db1", "web1"], None)
    assert "User" not in everybody["stanza"]
    assert psm("ssh-config", "--user", "nobody").code == 3


def test_the_known_hosts_lines_let_the_ca_vouch_for_these_targets_and_no_other_host(
    psm: Psm,
    inventory: None,
    tmp_path: Path,
) -> None:
    need("ssh-keygen")
    printed = psm("ssh-config", "--user", "ana", "--host", "b.example", "--known-hosts").out
    file = tmp_path / "known_hosts"
    file.write_text(printed)

    def finds(host: str) -> bool:
        argv = ["ssh-keygen", "-F", host, "-f", str(file)]
        return subprocess.run(argv, capture_output=True).returncode == 0

    assert finds("db1") and finds("web1") and finds("[b.example]:2222")
    assert not finds("bank.example") and not finds("db2")
    psm("ca", "rotate", "--prepare")
    again = psm("ssh-config", "--user", "ana", "--host", "b.example", "--known-hosts").out
    assert [line.split()[0] for line in again.splitlines()] == [
        "[b.example]:2222",
        "@cert-authority",
        "@cert-authority",
    ]


@pytest.mark.attack
@pytest.mark.parametrize(
    "host",
    [
        "",
        "-oProxyCommand=id",
        "$(id)",
        "`id`",
        "%h",
        "a b",
        "a\nProxyCommand id",
        "a;id",
        "a'b",
        "ünicode",
        "a" * 300,
        "a@b",
        "a/b",
    ],
)
def test_a_host_that_ssh_would_expand_or_run_is_refused(psm: Psm, host: str) -> None:
    done = psm("ssh-config", f"--host={host}")

    assert (done.code, done.out) == (2, "")
    assert "expected a host name or an address" in done.err


@pytest.mark.attack
@pytest.mark.parametrize("user", ["", "Ana", "$(id)", "%u", "a b", "-l", "ana\nUser root"])
def test_a_user_that_is_no_identitys_name_is_refused(psm: Psm, user: str) -> None:
    done = psm("ssh-config", f"--user={user}")

    assert done.code in (2, 3) and done.out == ""


def test_a_target_that_bears_the_jumps_own_name_is_not_sent_through_itself() -> None:
    lines = stanza(WayIn("ana", ("psm", "psm-broker"), _KEY, (_KEY,), None), "h", 22)

    assert lines[0] == "Host psm-broker-broker"
    assert lines[-2:] == ["Host psm psm-broker", "    ProxyJump psm-broker-broker"]


def test_without_targets_there_is_a_jump_and_nobody_is_vouched_for() -> None:
    found = WayIn("ana", (), _KEY, (_KEY,), None)

    assert stanza(found, "::1", 22) == [
        "Host psm",
        "    HostName ::1",
        "    Port 22",
        "    User ana",
    ]
    assert known_lines(found, "h", 22) == [f"h {_KEY}"]


def test_the_ca_is_shown_prepared_and_rotated(psm: Psm) -> None:
    first = json.loads(psm("ca", "show", "--json").out)
    assert psm("ca", "show").out == f"{first['known_hosts']}\n"
    assert first["known_hosts"] == f"@cert-authority * {first['public']}"
    assert first["fingerprint"].startswith("SHA256:") and first["prepared"] is None
    assert json.loads(psm("ca", "init", "--json").out) == first

    both = psm("ca", "rotate", "--prepare").out.splitlines()
    assert both[0] == first["known_hosts"] and len(both) == 2

    refused = psm("ca", "rotate")
    assert refused.code == 2 and "--reason" in refused.err
    rotated = json.loads(psm("ca", "rotate", "--reason", "planned", "--json").out)
    assert rotated["known_hosts"].split()[:4] == both[1].split()[:4]
    noted = json.loads(psm("audit", "ls", "--json").out)
    assert [one["action"] for one in noted][-2:] == ["ca.prepare", "ca.rotate"]


def test_a_home_without_a_ca_says_how_to_make_one(psm: Psm, home: Home) -> None:
    home.host_ca.unlink()

    missing = psm("ca", "show")

    assert missing.code == 3 and "psm ca init" in missing.err
    assert psm("ca", "init").out.startswith("@cert-authority * ssh-ed25519 ")
