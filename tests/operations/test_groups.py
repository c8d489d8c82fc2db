"""Groups, certificate authorities and second steps as an inventory.toml declares them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from psm_console.credentials import make_key
from psm_console.domain.inventory import Group, Identity, Role
from psm_console.domain.second_step import Step
from psm_console.operations import Usage, apply, read_inventory_file

from .office import Office

WHOLE = """
[groups.ops]
cert_authority = ["{ca}"]
second_step = ["totp", "ticket"]
[groups.dev]
[identities.ana]
roles = ["operator"]
groups = ["ops", "dev", "ops"]
totp = {{ file = "ana.totp" }}
[identities.eve]
roles = ["operator"]
groups = ["ops"]
second_step = []
verify_required = true
"""


@pytest.fixture
def ca(tmp_path: Path) -> str:
    return make_key(tmp_path / "ca", "ca")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "ana.totp"
    path.touch(mode=0o600)
    path.write_text("JBSWY3DPEHPK3PXP\n")
    return path


def declare(place: Office, folder: Path, text: str) -> None:
    (folder / "inventory.toml").write_text(text)
    declared = read_inventory_file(folder / "inventory.toml")
    apply(place.store, place.who("local"), declared, place.now)


def test_what_a_file_says_of_groups_is_stored(
    place: Office, tmp_path: Path, ca: str, secret: Path
) -> None:
    declare(place, tmp_path, WHOLE.format(ca=ca))

    found = place.store.inventory.load()
    assert found.groups == {
        "ops": Group("ops", (ca,), (Step.TICKET, Step.TOTP)),
        "dev": Group("dev"),
    }
    ana = Identity(
        "ana", frozenset({Role.OPERATOR}), groups=("ops", "dev"), totp=str(secret.absolute())
    )
    assert found.identities["ana"] == ana
    assert (found.identities["eve"].second_step, found.identities["eve"].verify_required) == (
        (),
        True,
    )
    assert "group ops" in str(place.store.audit.list(action="inventory.apply")[-1].detail)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("groups = 3", "groups: expected a table"),
        ("[groups.Ops]", "groups: 'Ops' is not a name"),
        ("[groups.ops]\nca = []", "groups.ops.ca: is not known here"),
        (
            "[groups.ops]\ncert_authority = 'x'",
            "groups.ops.cert_authority: expected `array`, got `str`",
        ),
        (
            "[groups.ops]\ncert_authority = ['cert-authority {ca}']",
            "groups.ops.cert_authority[0]: cert-authority is said by where the key stands",
        ),
        ("[groups.ops]\nsecond_step = ['sms']", "groups.ops.second_step[0]: invalid enum value"),
        ("[identities.ana]\nroles = []\ngroups = ['ops']", "identities.ana.groups[0]: 'ops' is"),
        (
            "[identities.ana]\nroles = []\nsecond_step = ['totp']",
            "identities.ana.totp: is missing",
        ),
        (
            "[groups.x]\nsecond_step = ['totp']\n[identities.ana]\nroles = []\ngroups = ['x']",
            "identities.ana.totp: is missing",
        ),
        (
            "[identities.ana]\nroles = []\ntotp = {{ secret = 'canary' }}",
            "identities.ana.totp",
        ),
        (
            "[identities.ana]\nroles = []\ntotp = {{ file = 'none' }}",
            "identities.ana.totp.file:",
        ),
        (
            "[identities.ana]\nroles = []\ntotp = {{ file = 'open' }}",
            "identities.ana.totp.file:",
        ),
        (
            "[groups.x]\ncert_authority = ['{ca}']\n[identities.ana]\nroles = []\nkeys = ['{ca}']",
            "identities.ana.keys[0]: is the same key as groups.x.cert_authority[0]",
        ),
        (
            "[identities.ana]\nroles = []\nkeys = ['restrict {ca}']",
            "identities.ana.keys[0]: the option restrict before a key would not be obeyed",
        ),
    ],
)
def test_a_fault_is_named_by_its_path_and_nothing_changes(
    place: Office, tmp_path: Path, ca: str, text: str, said: str
) -> None:
    (tmp_path / "open").write_text("JBSWY3DPEHPK3PXP\n")
    (tmp_path / "open").chmod(0o644)
    before = place.store.inventory.load()

    with pytest.raises(Usage) as caught:
        declare(place, tmp_path, text.replace("{ca}", ca).replace("{{", "{").replace("}}", "}"))

    assert said in str(caught.value) and "canary" not in str(caught.value)
    assert place.store.inventory.load() == before


def test_a_group_that_goes_leaves_local_without_it(place: Office) -> None:
    local = place.who("local")
    now = place.store.inventory.load()
    inside = replace(now.identities["local"], groups=("ops",))
    wanted = replace(
        now, groups={"ops": Group("ops")}, identities={**now.identities, "local": inside}
    )
    apply(place.store, local, wanted, place.now)

    others = {name: one for name, one in now.identities.items() if name != "local"}
    apply(place.store, local, replace(now, identities=others), place.now)

    assert place.store.inventory.load().identities["local"].groups == ()
