"""`psm target`, `account` and `identity`: what the inventory holds."""

from __future__ import annotations

import click

from psm_console.domain.inventory import Inventory

from .context import Invocation, chosen_format, listing, now
from .output import Column, field, print_listing
from .records import account_row, identity_row, target_row


@click.group()
def target() -> None:
    """The hosts that can be reached."""


@click.group()
def account() -> None:
    """The privileged logins on targets."""


@click.group()
def identity() -> None:
    """Who may work, watch, review or administer."""


def _load(invocation: Invocation) -> Inventory:
    from psm_console.operations import read_inventory

    with invocation.store() as (store, actor):
        return read_inventory(store, actor, now())


@target.command("ls")
@listing
@click.pass_obj
def list_targets(invocation: Invocation, chosen: str, as_json: bool) -> None:
    """List targets."""
    found = _load(invocation)
    rows = [
        target_row(one, [str(ref) for ref in found.accounts if ref.target == one.name])
        for one in found.targets.values()
    ]
    columns = (field("name"), field("address"), field("accounts"), field("host_keys", wide=True))
    print_listing(rows, columns, "name", chosen_format(chosen, as_json))


@account.command("ls")
@listing
@click.pass_obj
def list_accounts(invocation: Invocation, chosen: str, as_json: bool) -> None:
    """List accounts and the kind of credential that opens each; no secret is shown."""
    found = _load(invocation)
    operators = {
        ref: sorted({grant.operator for grant in found.grants if grant.account == ref})
        for ref in found.accounts
    }
    supervised = {
        ref: sorted({one.operator for one in found.grants if one.account == ref and one.supervised})
        for ref in found.accounts
    }
    rows = [
        account_row(one) | {"operators": operators[one.ref], "supervised": supervised[one.ref]}
        for one in found.accounts.values()
    ]
    columns = (
        field("account"),
        field("credential"),
        field("operators"),
        field("supervised", wide=True),
        field("credential_path", wide=True),
    )
    print_listing(rows, columns, "account", chosen_format(chosen, as_json))


@identity.command("ls")
@listing
@click.pass_obj
def list_identities(invocation: Invocation, chosen: str, as_json: bool) -> None:
    """List identities with their roles."""
    rows = [identity_row(one) for one in _load(invocation).identities.values()]
    columns = (
        field("name"),
        field("kind"),
        field("roles"),
        field("owner"),
        Column("keys", lambda row: str(len(_list(row["keys"])))),
        Column("public keys", lambda row: "; ".join(_list(row["keys"])), wide=True),
    )
    print_listing(rows, columns, "name", chosen_format(chosen, as_json))


def _list(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
