"""The inventory reads back as it was declared."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.domain.inventory import (
    Account,
    Grant,
    Group,
    Identity,
    IdentityKind,
    PasswordFile,
    Role,
)
from psm_console.domain.names import AccountRef, GrantId
from psm_console.domain.second_step import Step
from psm_console.store import StoreError

from .factories import NOON, ROOT, make_inventory, make_store


def test_an_inventory_reads_back_as_it_was_stored(tmp_path: Path) -> None:
    app = AccountRef("app", "db1")
    plain = make_inventory()
    robot = Identity(
        "robot", frozenset({Role.OPERATOR, Role.AUDITOR}), (), IdentityKind.AGENT, "sue"
    )
    eve = Identity(
        "eve",
        frozenset({Role.OPERATOR}),
        groups=("ops",),
        totp="/etc/psm/eve.totp",
        second_step=(Step.TICKET, Step.TOTP),
        verify_required=False,
    )
    inventory = make_inventory(
        groups={"ops": Group("ops", ("ssh-ed25519 AAAA ca",), ()), "dev": Group("dev")},
        identities={**plain.identities, "robot": robot, "eve": eve},
        accounts={**plain.accounts, app: Account(app, PasswordFile("/etc/psm/app"))},
        grants=(
            *plain.grants,
            Grant(GrantId("g-2"), "robot", app, NOON, NOON + timedelta(hours=1)),
            Grant(GrantId("g-3"), "ana", app, supervised=True),
        ),
    )
    with make_store(tmp_path) as store:
        assert store.inventory.version() == 0

        store.inventory.replace(plain)
        store.inventory.replace(inventory)

        assert store.inventory.load() == inventory
        assert store.inventory.version() == 2
        assert store.inventory.identity("robot") == robot
        assert store.inventory.identity("nobody") is None


@pytest.mark.parametrize(
    "broken",
    [
        make_inventory(identities={}),
        make_inventory(targets={}),
        make_inventory(accounts={}),
        make_inventory(grants=(Grant(GrantId("g-1"), "ana", AccountRef("x", "db1")),)),
        make_inventory(grants=(Grant(GrantId("g-1"), "eve", ROOT),)),
    ],
)
def test_a_right_that_stands_on_nothing_is_never_stored(tmp_path: Path, broken: object) -> None:
    with make_store(tmp_path) as store:
        store.inventory.replace(make_inventory())

        with pytest.raises(StoreError):
            store.inventory.replace(broken)  # type: ignore[arg-type]

        assert store.inventory.load() == make_inventory()
