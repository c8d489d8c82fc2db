"""`init` makes a home that works, again and again, and says why where it can not."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from psm_console.domain.inventory import CONSOLE_ROLES, Role
from psm_console.operations import (
    Denied,
    Failed,
    PsmError,
    Usage,
    init,
    list_audit,
    local_identity,
    open_store,
    trusted_keys,
    verify_audit,
)
from psm_console.recording import Signer
from psm_console.store import Home
from tests.store.factories import NOON

from .office import Office


def test_a_new_home_has_keys_a_store_and_local(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    done = init(home, NOON)

    assert done.created and done.host_key.startswith("ssh-ed25519 ")
    assert done.host_key_fingerprint.startswith("SHA256:")
    for secret in (home.host_key, home.recording_key, home.database):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    with open_store(home) as store:
        local = local_identity(store, home)
        assert (local.name, local.roles) == ("local", CONSOLE_ROLES)
        assert [entry.action for entry in store.audit.list()] == ["home.init"]
    assert trusted_keys(home)
    assert Signer.load(home.recording_key).fingerprint == done.recording_key_fingerprint


def test_init_again_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    first = init(home, NOON)
    before = {path: path.read_bytes() for path in home.keys.iterdir()}

    again = init(home, NOON)

    assert (again.created, again.host_key) == (False, first.host_key)
    assert {path: path.read_bytes() for path in home.keys.iterdir()} == before
    with open_store(home) as store:
        assert len(store.audit.list()) == 1


def test_two_that_init_at_once_agree(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from psm_console.operations import init\n"
        "from psm_console.store import Home, utc_now\n"
        "sys.stdin.readline()\n"
        "print(init(Home(pathlib.Path(sys.argv[1])), utc_now()).host_key_fingerprint)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    said = [process.communicate("go\n", timeout=60)[0] for process in running]

    assert said[0].startswith("SHA256:") and len(set(said)) == 1
    with open_store(Home(tmp_path / "home")) as store:
        assert len(store.audit.list()) == 1


def test_a_home_of_an_older_psm_s_roles_keeps_what_was_changed(place: Office) -> None:
    init(place.home, NOON)

    assert place.who("ana")
    assert place.actions() == ["home.init"]


def test_a_damaged_key_is_not_replaced_in_passing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, NOON)
    home.recording_key.write_text("broken")

    with pytest.raises(Failed, match="not a private key"):
        init(home, NOON)

    assert home.recording_key.read_text() == "broken"


@pytest.mark.fault
def test_a_lost_store_is_not_replaced_by_an_empty_one_beside_its_recordings(
    place: Office,
) -> None:
    place.record()
    place.store.close()
    for path in place.home.root.glob("psm.db*"):
        path.unlink()

    with pytest.raises(Failed, match="put back a backup"):
        init(place.home, NOON)

    assert not place.home.database.exists()


@pytest.mark.attack
def test_a_home_open_to_others_is_not_opened(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, NOON)
    home.recording_key.chmod(0o640)

    with pytest.raises(Usage, match="chmod 600"):
        open_store(home)


def test_no_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PsmError, match="psm init"):
        open_store(Home(tmp_path / "none"))


@pytest.mark.attack
def test_only_the_owner_of_the_home_is_local(
    place: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: place.home.root.stat().st_uid + 1)

    with pytest.raises(Denied):
        local_identity(place.store, place.home)


def test_a_store_without_local_says_init(place: Office) -> None:
    from dataclasses import replace

    inventory = place.store.inventory.load()
    kept = {name: one for name, one in inventory.identities.items() if name != "local"}
    place.store.inventory.replace(replace(inventory, identities=kept))

    with pytest.raises(Failed, match="psm init"):
        local_identity(place.store, place.home)


def test_the_audit_log_is_read_filtered_and_verified(place: Office) -> None:
    auditor = place.who(Role.AUDITOR.value)
    place.begin()
    place.store.audit.append(NOON, "session.start", "ana", session="s-7100")

    (entry,) = list_audit(place.store, auditor, NOON, session="s-71")
    verdict = verify_audit(place.store, auditor, NOON, known_head=f"{entry.id}:{entry.hash}")

    assert entry.action == "session.start"
    assert verdict.ok and str(verdict.head) == f"{entry.id}:{entry.hash}"
    assert list_audit(place.store, auditor, NOON, limit=1, by="ana") == [entry]
    with pytest.raises(Usage, match="ID:HASH"):
        verify_audit(place.store, auditor, NOON, known_head="7")


def test_operations_load_neither_textual_nor_asyncssh_nor_the_emulator(tmp_path: Path) -> None:
    heavy = ["textual", "asyncssh", "asyncio", "pyte", "sqlite_utils", "watchfiles", "rich"]
    code = (
        "import sys, pathlib\n"
        "from psm_console import operations as o; from psm_console.store import Home, utc_now\n"
        f"home = Home(pathlib.Path({str(tmp_path / 'home')!r}))\n"
        "o.init(home, utc_now())\n"
        "for name in list(sys.modules):\n"
        "    if name.split('.')[0] == 'sqlite_utils': del sys.modules[name]\n"
        "with o.open_store(home) as store:\n"
        "    me = o.local_identity(store, home)\n"
        "    o.list_sessions(store, me, utc_now()); o.list_recordings(store, me, utc_now())\n"
        "    o.read_inventory(store, me, utc_now()); o.verify_audit(store, me, utc_now())\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
