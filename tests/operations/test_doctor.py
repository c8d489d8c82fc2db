"""What `psm doctor` finds, each thing broken by hand."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from psm_console.confinement import offered
from psm_console.domain.inventory import Account, Identity, PasswordFile, Target
from psm_console.domain.names import AccountRef, WorkerId
from psm_console.operations.doctor import Finding, Health, examine
from psm_console.operations.setup import init
from psm_console.store import Home, Store

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    init(made, NOW)
    return made


def found(home: Home, check: str) -> Finding:
    (one,) = [finding for finding in examine(home, NOW) if finding.check == check]
    return one


def test_a_new_home_has_nothing_broken_and_only_misses_its_broker(home: Home) -> None:
    findings = examine(home, NOW)
    assert {f.check for f in findings if f.health is Health.BROKEN} == set()
    assert "psm serve" in found(home, "broker").said
    assert len({f.check for f in findings}) == 11


def test_workers_that_run_and_can_not_write_are_no_broker_that_is_missing(home: Home) -> None:
    with Store.open(home) as store:
        before = NOW - timedelta(seconds=21)
        store.workers.register(WorkerId("w-1"), os.getpid(), before, "127.0.0.1", 2222)

    finding = found(home, "broker")

    assert finding.health is Health.BROKEN
    assert "1 workers run, but none has written to the store for 21 s" in finding.said
    assert "psm serve" not in finding.said


def test_workers_that_nobody_accepts_connections_for_are_no_broker_that_is_well(
    home: Home,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with Store.open(home) as store:
            store.workers.register(WorkerId("w-1"), os.getpid(), NOW, "127.0.0.1", port)

        well = found(home, "broker")

    alone = found(home, "broker")
    assert (well.health, well.said) == (Health.OK, f"1 workers on 127.0.0.1:{port}")
    assert alone.health is Health.BROKEN
    assert f"nobody accepts connections on 127.0.0.1:{port}" in alone.said


def _open_key(home: Home) -> None:
    home.recording_key.chmod(0o644)


def _bad_policy(home: Home) -> None:
    home.config.write_text("[limits]\nidel_s = 3\n")


def _lost_key(home: Home) -> None:
    home.recording_key.unlink()


def _foreign_signer(home: Home) -> None:
    other = Home(home.root.parent / "other")
    init(other, NOW)
    shutil.copy(other.allowed_signers, home.allowed_signers)


def _torn_store(home: Home) -> None:
    size = home.database.stat().st_size
    with home.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def _edited_audit(home: Home) -> None:
    with sqlite3.connect(home.database) as raw:
        # Whoever owns the file can take the triggers out; the chain still tells.
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("UPDATE audit SET actor = 'nobody'")
    raw.close()


def _open_totp(home: Home) -> None:
    secret = home.root.parent / "ana.totp"
    secret.write_text("JBSWY3DPEHPK3PXP")
    secret.chmod(0o644)
    with Store.open(home) as store:
        inventory = store.inventory.load()
        ana = Identity("ana", frozenset(), totp=str(secret))
        store.inventory.replace(replace(inventory, identities={"ana": ana}))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("harm", "check"),
    [
        (_open_key, "home"),
        (_open_totp, "credentials"),
        (_bad_policy, "policy"),
        (_lost_key, "signing key"),
        (_foreign_signer, "signing key"),
        (_torn_store, "store"),
        (_edited_audit, "audit log"),
    ],
)
def test_what_is_broken_is_found_and_named(
    home: Home, harm: Callable[[Home], None], check: str
) -> None:
    harm(home)
    assert found(home, check).health is Health.BROKEN


@pytest.mark.fault
@pytest.mark.parametrize(
    ("free", "health"), [(0.5, Health.OK), (0.1, Health.WARNING), (0.01, Health.BROKEN)]
)
def test_a_disk_that_fills_is_warned_of_before_no_session_starts(
    home: Home, monkeypatch: pytest.MonkeyPatch, free: float, health: Health
) -> None:
    class Usage:
        total = 1000
        used = 1000 - int(free * 1000)

    Usage.free = int(free * 1000)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    assert found(home, "disk").health is health


@pytest.mark.attack
def test_a_secret_that_a_visitor_could_read_is_found(home: Home) -> None:
    within = home.recordings / "db1.password"
    ref = AccountRef("root", "db1")
    with Store.open(home) as store:
        inventory = store.inventory.load()
        targets = {"db1": Target("db1", "127.0.0.1", 22, ())}
        accounts = {ref: Account(ref, PasswordFile(str(within)))}
        store.inventory.replace(replace(inventory, targets=targets, accounts=accounts))

    said = found(home, "consoles over ssh")

    if offered():
        assert said.health is Health.BROKEN
        assert "root@db1 lies where they could read it" in said.said
    else:
        assert "this kernel has no Landlock" in said.said


def test_a_home_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    findings = examine(Home(tmp_path / "nowhere"), NOW)
    assert found(Home(tmp_path / "nowhere"), "home").said.endswith("make one with `psm init`")
    assert any(finding.health is Health.BROKEN for finding in findings)
