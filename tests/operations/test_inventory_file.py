"""inventory.toml is read strictly: what is wrong with it is named by its path, in one sentence."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_console.credentials import make_key
from psm_console.domain.inventory import (
    IdentityKind,
    Inventory,
    KeyFile,
    PasswordFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef
from psm_console.domain.text import HIDDEN
from psm_console.operations import PsmError, Usage, read_inventory_file

WHOLE = """
[identities.ana]
roles = ["operator"]
keys = ["{key}"]
[identities.robot]
roles = ["operator", "auditor"]
kind = "agent"
owner = "ana"
[targets.db1]
address = "10.0.0.5:2022"
host_keys = ["{key}"]
[targets.db1.accounts.root]
credential = {{ key_file = "secrets/root.key" }}
[targets.db1.accounts.app]
credential = {{ password_file = "/etc/psm/app" }}
[[grants]]
operator = "ana"
account = "root@db1"
[[grants]]
operator = "robot"
account = "app@db1"
starts_at = 2026-11-21T12:00:00Z
expires_at = 2026-11-21T15:00:00+02:00
"""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_key(tmp_path_factory.mktemp("key") / "key", "ana")


def read(folder: Path, text: str) -> Inventory:
    path = folder / "inventory.toml"
    path.write_text(text)
    return read_inventory_file(path)


def test_all_that_may_be_said_is_understood(tmp_path: Path, key: str) -> None:
    found = read(tmp_path, WHOLE.format(key=key))

    root, app = AccountRef("root", "db1"), AccountRef("app", "db1")
    assert found.identities["ana"].keys == (key,)
    robot = found.identities["robot"]
    assert (robot.kind, robot.owner) == (IdentityKind.AGENT, "ana")
    assert robot.roles == {Role.OPERATOR, Role.AUDITOR}
    assert found.targets == {"db1": Target("db1", "10.0.0.5", 2022, (key,))}
    assert found.accounts[root].credential == KeyFile(str(tmp_path / "secrets/root.key"))
    assert found.accounts[app].credential == PasswordFile("/etc/psm/app")
    standing, timed = found.grants
    assert (standing.operator, standing.account, standing.expires_at) == ("ana", root, None)
    assert timed.starts_at == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert timed.expires_at == datetime(2026, 11, 21, 13, tzinfo=UTC)


def test_the_same_grant_has_the_same_id_at_each_reading(tmp_path: Path, key: str) -> None:
    one, two = (read(tmp_path, WHOLE.format(key=key)) for _ in range(2))

    assert one.grants == two.grants
    assert len({grant.id for grant in one.grants}) == 2


def test_a_supervised_grant_is_another_grant_than_one_that_is_not(tmp_path: Path) -> None:
    texts = [GRANT, f"{GRANT}supervised = false\n", f"{GRANT}supervised = true\n"]
    found = [grant for text in texts for grant in read(tmp_path, text).grants]

    assert [one.supervised for one in found] == [False, False, True]
    assert found[0] == found[1] and found[2].id != found[0].id


def test_an_empty_file_declares_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Inventory({}, {}, {}, ())


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("db1.example.org", "db1.example.org", 22),
        ("db1:2222", "db1", 2222),
        ("[fd00::5]:22", "fd00::5", 22),
        ("[::1]", "::1", 22),
        ("fd00::5", "fd00::5", 22),
    ],
)
def test_addresses_are_hosts_with_or_without_a_port(
    tmp_path: Path, key: str, address: str, host: str, port: int
) -> None:
    text = f'[targets.x]\naddress = "{address}"\nhost_keys = ["{key}"]'

    target = read(tmp_path, text).targets["x"]

    assert (target.host, target.port) == (host, port)


ID = "[identities.ana]\n"
TARGET = '[targets.db1]\naddress = "h:22"\nhost_keys = ["{key}"]\n'
ACCOUNT = TARGET + "[targets.db1.accounts.root]\n"
GRANT = '[[grants]]\noperator = "ana"\naccount = "root@db1"\n'


@pytest.mark.attack
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("identity = 3", "identity: is not known here"),
        ("identities = 3", "identities: expected a table, got an integer"),
        ("[identities.Ana]\nroles = []", "identities: 'Ana' is not a name; names are 1 to 64 of"),
        ('[identities."a b"]\nroles = []', "identities: 'a b' is not a name"),
        ('[identities."\\u001b[31m"]\nroles = []', "identities: '\\x1b[31m' is not a name"),
        ('[identities.".."]\nroles = []', "identities: '..' is not a name"),
        ('[identities."root%db"]\nroles = []', "is not a name"),
        ('[identities."аna"]\nroles = []', "is not a name"),
        (f"[identities.{'a' * 65}]\nroles = []", "is not a name"),
        (ID, "identities.ana.roles: is missing"),
        (ID + "roles = ['king']", "identities.ana.roles[0]: invalid enum value 'king'"),
        (ID + "roles = []\nrole = 1", "identities.ana.role: is not known here"),
        (ID + "roles = []\nkeys = 'x'", "identities.ana.keys: expected `array`, got `str`"),
        (ID + "roles = []\nkeys = ['x']", "identities.ana.keys[0]: expected a public key line"),
        (ID + "roles = []\nowner = 'A B'", "identities.ana.owner: 'A B' is not a name"),
        (ID + "roles = []\nkind = 'cat'", "identities.ana.kind: invalid enum value 'cat'"),
        (TARGET + "forwards = ['h:*', '*:*']", "targets.db1.forwards[1]: '*:*' is not HOST:PORT"),
        (TARGET + "forwards = ['unix:x']", "targets.db1.forwards[0]: 'unix:x' names no socket"),
        ("[targets.db1]", "targets.db1.address: is missing"),
        ("[targets.db1]\naddress = 'h'\nhost_keys = []", "targets.db1.host_keys: at least one"),
        (
            "[targets.db1]\naddress = 'h'\nhost_keys = ['ssh-dss AAAA']",
            "targets.db1.host_keys[0]: DSA keys are too weak",
        ),
        (TARGET + "port = 22", "targets.db1.port: is not known here"),
        (TARGET.replace("h:22", "h:0"), "targets.db1.address: 'h:0' has no port"),
        (TARGET.replace("h:22", "h:99999"), "targets.db1.address: 'h:99999' has no port"),
        (TARGET.replace("h:22", "h:"), "targets.db1.address: 'h:' has no port"),
        (TARGET.replace("h:22", "h:٢٢"), "targets.db1.address: 'h:٢٢' has no port"),
        (TARGET.replace("h:22", "-oProxyCommand=x"), "targets.db1.address:"),
        (TARGET.replace("h:22", "[::1"), "targets.db1.address: '[::1' is not [IPV6]:PORT"),
        (TARGET.replace("h:22", "fe80::1%eth0"), "targets.db1.address:"),
        (TARGET.replace("h:22", "a b"), "targets.db1.address: 'a b' is not HOST:PORT"),
        (TARGET.replace("h:22", "h/x"), "targets.db1.address:"),
        (TARGET + "accounts = 3", "targets.db1.accounts: expected a table"),
        (ACCOUNT, "targets.db1.accounts.root.credential: is missing"),
        (ACCOUNT + "credential = {{}}", "targets.db1.accounts.root.credential: expected exactly"),
        (
            ACCOUNT + "credential = {{ key_file = 'a', password_file = 'b' }}",
            "targets.db1.accounts.root.credential: expected exactly one",
        ),
        (
            ACCOUNT + "credential = {{ ca = true }}",
            "targets.db1.accounts.root.credential.ca: not available yet",
        ),
        (
            ACCOUNT + "credential = {{ password = 'canary' }}",
            "targets.db1.accounts.root.credential.password: is not known here",
        ),
        (
            ACCOUNT + "credential = {{ key_file = '' }}",
            "targets.db1.accounts.root.credential.key_file: expected the name of a file",
        ),
        ("grants = 3", "grants: expected a list"),
        ("[grants.x]\noperator = 'a'", "grants: expected a list"),
        ("[[grants]]\noperator = 'ana'", "grants[0].account: is missing"),
        (GRANT + "grant = 1", "grants[0].grant: is not known here"),
        (GRANT + 'supervised = "no"', "grants[0].supervised: expected `bool"),
        (GRANT.replace("root@db1", "root"), "grants[0].account: 'root' is not ACCOUNT@TARGET"),
        (GRANT.replace("root@db1", "a@b@c"), "grants[0].account:"),
        (GRANT.replace('"ana"', '"../x"'), "grants[0].operator:"),
        (GRANT + "expires_at = 2026-11-21T15:00:00", "grants[0].expires_at: the time has no zone"),
        (GRANT + "expires_at = 2026-11-21", "grants[0].expires_at: expected `datetime"),
        (
            GRANT + "starts_at = 2026-11-22T00:00:00Z\nexpires_at = 2026-11-21T00:00:00Z",
            "grants[0].expires_at: expected a time after starts_at",
        ),
        (ID + "roles = []\n" + ID, "is not TOML"),
        ("\x00", "is not TOML"),
    ],
)
def test_a_fault_is_named_by_its_path(tmp_path: Path, key: str, text: str, said: str) -> None:
    with pytest.raises(Usage) as caught:
        read(tmp_path, text.replace("{key}", key).replace("{{", "{").replace("}}", "}"))

    sentence = str(caught.value)
    assert said in sentence
    assert not HIDDEN.search(sentence)
    assert "canary" not in sentence
    assert caught.value.exit_code == 2


@pytest.mark.attack
def test_what_is_no_inventory_at_all_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "latin").write_bytes(b"[identities.ana]\nroles = ['\xff']")
    (tmp_path / "binary").write_bytes(os.urandom(4096))
    (tmp_path / "deep").write_text("a = " + "[" * 100_000)
    (tmp_path / "keys").write_text("a." * 50_000 + "b = 1")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 33)

    names = ["folder", "fifo", "latin", "binary", "deep", "keys", "loop", "huge", "missing"]
    for name in [*names, "x" * 300, "\x1b]0;owned\x07", "nul\0"]:
        with pytest.raises(PsmError) as caught:
            read_inventory_file(tmp_path / name)
        assert not HIDDEN.search(str(caught.value)), name
        assert ("nests too deeply" in str(caught.value)) is (name in ("deep", "keys"))
        assert "\n" not in str(caught.value)


@pytest.mark.attack
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_inventory_is_read_or_refused_and_nothing_else(
    tmp_path: Path, key: str, data: st.DataObject
) -> None:
    text = WHOLE.format(key=key)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 30))
    put = data.draw(st.text(max_size=5, alphabet=st.characters(exclude_categories=["Cs"])))

    try:
        read(tmp_path, text[:at] + put + text[at + cut :])
    except PsmError as error:
        assert not HIDDEN.search(str(error))
