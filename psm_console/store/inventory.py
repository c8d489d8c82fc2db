"""The inventory's rows: identities, targets, accounts, grants."""

from __future__ import annotations

import sqlite3
from typing import assert_never

from psm_console.domain.inventory import (
    Account,
    CredentialRef,
    Grant,
    Group,
    Identity,
    IdentityKind,
    Inventory,
    KeyFile,
    PasswordFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef, GrantId
from psm_console.domain.second_step import Step

from .connection import Connection
from .values import from_json, reading, to_json, to_text, to_time


class InventoryRows:
    """The tables that `psm apply` makes equal to a file; small, so replaced as a whole."""

    def __init__(self, connection: Connection):
        self._db = connection

    def load(self) -> Inventory:
        """Return the whole inventory as of one instant."""
        with self._db.snapshot():
            identities = [_identity(row) for row in self._rows("identities", "name")]
            targets = [_target(row) for row in self._rows("targets", "name")]
            accounts = [_account(row) for row in self._rows("accounts", "target, account")]
            grants = [_grant(row) for row in self._rows("grants", "rowid")]
            groups = [_group(row) for row in self._rows("identity_groups", "name")]
        return Inventory(
            identities={identity.name: identity for identity in identities},
            targets={target.name: target for target in targets},
            accounts={account.ref: account for account in accounts},
            grants=tuple(grants),
            groups={group.name: group for group in groups},
        )

    def version(self) -> int:
        """Return a number that grows with each change."""
        row = self._db.row("SELECT value FROM meta WHERE key = 'inventory_version'")
        return 0 if row is None else int(row[0])

    def identity(self, name: str) -> Identity | None:
        """Return the identity of that name, or None."""
        row = self._db.row("SELECT * FROM identities WHERE name = ?", (name,))
        return None if row is None else _identity(row)

    def replace(self, inventory: Inventory) -> None:
        """Make the rows equal to `inventory`; StoreError when a grant stands on nothing."""
        with self._db.transaction():
            for table in ("grants", "accounts", "targets", "identities", "identity_groups"):
                self._db.run(f"DELETE FROM {table}")
            for group in inventory.groups.values():
                self._insert_group(group)
            for identity in inventory.identities.values():
                self._insert_identity(identity)
            for target in inventory.targets.values():
                self._insert_target(target)
            for account in inventory.accounts.values():
                self._insert_account(account)
            for grant in inventory.grants:
                self._insert_grant(grant)
            self._db.run(
                "INSERT INTO meta (key, value) VALUES ('inventory_version', 1)"
                " ON CONFLICT (key) DO UPDATE SET value = value + 1"
            )

    def _rows(self, table: str, order: str) -> list[sqlite3.Row]:
        return self._db.rows(f"SELECT * FROM {table} ORDER BY {order}")

    def _insert_identity(self, identity: Identity) -> None:
        self._db.run(
            "INSERT INTO identities (name, kind, owner, roles, keys, member_of, totp, second_step,"
            " verify_required) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                identity.name,
                identity.kind,
                identity.owner,
                to_json(sorted(identity.roles)),
                to_json(identity.keys),
                to_json(identity.groups),
                identity.totp,
                _steps_text(identity.second_step),
                identity.verify_required,
            ),
        )

    def _insert_group(self, group: Group) -> None:
        self._db.run(
            "INSERT INTO identity_groups (name, cert_authority, second_step) VALUES (?, ?, ?)",
            (group.name, to_json(group.cert_authority), _steps_text(group.second_step)),
        )

    def _insert_target(self, target: Target) -> None:
        self._db.run(
            "INSERT INTO targets (name, host, port, host_keys, forwards) VALUES (?, ?, ?, ?, ?)",
            (
                target.name,
                target.host,
                target.port,
                to_json(target.host_keys),
                to_json(target.forwards),
            ),
        )

    def _insert_account(self, account: Account) -> None:
        kind, credential = _credential_columns(account.credential)
        self._db.run(
            "INSERT INTO accounts (account, target, credential_kind, credential)"
            " VALUES (?, ?, ?, ?)",
            (account.ref.account, account.ref.target, kind, credential),
        )

    def _insert_grant(self, grant: Grant) -> None:
        self._db.run(
            "INSERT INTO grants (id, operator, account, target, starts_at, expires_at, supervised)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                grant.id,
                grant.operator,
                grant.account.account,
                grant.account.target,
                to_text(grant.starts_at),
                to_text(grant.expires_at),
                grant.supervised,
            ),
        )


def _credential_columns(credential: CredentialRef) -> tuple[str, str]:
    match credential:
        case KeyFile(path):
            return "key_file", path
        case PasswordFile(path):
            return "password_file", path
        case _:
            assert_never(credential)


def _identity(row: sqlite3.Row) -> Identity:
    with reading("identity", row["name"]):
        return Identity(
            name=row["name"],
            roles=frozenset(Role(role) for role in from_json(row["roles"], list[str])),
            keys=tuple(from_json(row["keys"], list[str])),
            kind=IdentityKind(row["kind"]),
            owner=row["owner"],
            groups=tuple(from_json(row["member_of"], list[str])),
            totp=row["totp"],
            second_step=_steps(row["second_step"]),
            verify_required=None if row["verify_required"] is None else row["verify_required"] == 1,
        )


def _group(row: sqlite3.Row) -> Group:
    with reading("group", row["name"]):
        authorities = tuple(from_json(row["cert_authority"], list[str]))
        return Group(row["name"], authorities, _steps(row["second_step"]))


def _steps(text: str | None) -> tuple[Step, ...] | None:
    return None if text is None else tuple(Step(step) for step in from_json(text, list[str]))


def _steps_text(steps: tuple[Step, ...] | None) -> str | None:
    return None if steps is None else to_json(steps)


def _target(row: sqlite3.Row) -> Target:
    with reading("target", row["name"]):
        keys = tuple(from_json(row["host_keys"], list[str]))
        forwards = tuple(from_json(row["forwards"], list[str]))
        return Target(row["name"], row["host"], row["port"], keys, forwards)


def _account(row: sqlite3.Row) -> Account:
    with reading("account", row["account"]):
        credential = _credential(row["credential_kind"], row["credential"])
        return Account(AccountRef(row["account"], row["target"]), credential)


def _credential(kind: str, text: str) -> CredentialRef:
    match kind:
        case "key_file":
            return KeyFile(text)
        case "password_file":
            return PasswordFile(text)
        case _:
            raise ValueError(f"its credential is of the unknown kind {kind}")


def _grant(row: sqlite3.Row) -> Grant:
    with reading("grant", row["id"]):
        return Grant(
            id=GrantId(row["id"]),
            operator=row["operator"],
            account=AccountRef(row["account"], row["target"]),
            starts_at=to_time(row["starts_at"]),
            expires_at=to_time(row["expires_at"]),
            supervised=row["supervised"] == 1,
        )
