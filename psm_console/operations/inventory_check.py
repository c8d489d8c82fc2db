"""Whether an inventory holds together: what refers to what, and whose keys are whose."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from psm_console.credentials import (
    CredentialError,
    check_credential,
    check_totp,
    parse_public_key,
)
from psm_console.domain.inventory import (
    CONSOLE_ROLES,
    LOCAL,
    Identity,
    IdentityKind,
    Inventory,
    KeyFile,
    Role,
)
from psm_console.domain.names import NAME_RULE, is_name
from psm_console.domain.second_step import Step
from psm_console.domain.text import visible

from .errors import Usage


def with_local(declared: Inventory, current: Inventory) -> Inventory:
    """Return `declared` with `local` as it must be.

    A file that does not name `local` leaves it as it is; one that does may give it keys and
    the operator's role, and takes no console role away.
    """
    said, had = declared.identities.get(LOCAL), current.identities.get(LOCAL)
    if said is None:
        local = had or Identity(LOCAL, CONSOLE_ROLES)
        known = tuple(name for name in local.groups if name in declared.groups)
        local = replace(local, groups=known)
    else:
        local = replace(said, name=LOCAL, roles=said.roles | CONSOLE_ROLES)
    identities = {LOCAL: local, **{k: v for k, v in declared.identities.items() if k != LOCAL}}
    return replace(declared, identities=identities)


def check_inventory(inventory: Inventory) -> None:
    """Raise Usage, naming the path, where one part does not fit another."""
    _check_names(inventory)
    for identity in inventory.identities.values():
        _check_owner(identity, inventory)
    _check_groups(inventory)
    _check_host_keys(inventory)
    _check_keys(inventory)
    _check_grants(inventory)


def check_credentials(inventory: Inventory, current: Inventory) -> None:
    """Raise Usage, naming the path, where a new credential's file can not be used as it is.

    One that was declared before is left alone: a file lost since must not keep anybody from
    taking a right away.
    """
    for account in inventory.accounts.values():
        if current.accounts.get(account.ref) == account:
            continue
        try:
            check_credential(account.credential)
        except CredentialError as error:
            kind = "key_file" if isinstance(account.credential, KeyFile) else "password_file"
            at = f"targets.{account.ref.target}.accounts.{account.ref.account}.credential.{kind}"
            _fail(at, str(error))
    for identity in inventory.identities.values():
        had = current.identities.get(identity.name)
        if identity.totp is None or (had is not None and had.totp == identity.totp):
            continue
        try:
            check_totp(identity.totp)
        except CredentialError as error:
            _fail(f"identities.{identity.name}.totp.file", str(error))


def _check_names(inventory: Inventory) -> None:
    """What comes one entry at a time has passed no file's reader."""
    for at, names in (
        ("identities", inventory.identities),
        ("groups", inventory.groups),
        ("targets", inventory.targets),
    ):
        for name in names:
            if not is_name(name):
                _fail(at, f"'{visible(name, 80)}' is not a name; names are {NAME_RULE}")
    for ref in inventory.accounts:
        at = f"targets.{visible(ref.target, 80)}"
        if ref.target not in inventory.targets:
            _fail(at, "is missing, and has accounts")
        if not is_name(ref.account):
            shown = visible(ref.account, 80)
            _fail(f"{at}.accounts", f"'{shown}' is not a name; names are {NAME_RULE}")


def _check_host_keys(inventory: Inventory) -> None:
    for target in inventory.targets.values():
        at = f"targets.{target.name}.host_keys"
        if not target.host_keys:
            _fail(at, "at least one is needed; a host that may show any key may be anybody")
        for place, line in enumerate(target.host_keys):
            _blob(line, f"{at}[{place}]")


def _blob(line: str, at: str) -> bytes:
    try:
        return parse_public_key(line).blob
    except CredentialError as error:
        _fail(at, str(error))


def _check_owner(identity: Identity, inventory: Inventory) -> None:
    at = f"identities.{identity.name}.owner"
    owner = None if identity.owner is None else inventory.identities.get(identity.owner)
    match identity.kind:
        case IdentityKind.PERSON:
            if identity.owner is not None:
                _fail(at, "a person has no owner; leave it out, or set kind")
        case IdentityKind.SERVICE | IdentityKind.AGENT:
            if identity.owner is None:
                _fail(at, f"is missing; a person must answer for this {identity.kind}")
            if owner is None or owner.kind is not IdentityKind.PERSON:
                _fail(at, f"{identity.owner} is not a person in identities")


def _check_groups(inventory: Inventory) -> None:
    for group in inventory.groups.values():
        for place, line in enumerate(group.cert_authority):
            _blob(line, f"groups.{group.name}.cert_authority[{place}]")
    for identity in inventory.identities.values():
        at = f"identities.{identity.name}"
        for place, name in enumerate(identity.groups):
            if name not in inventory.groups:
                shown = visible(name, 80)
                _fail(f"{at}.groups[{place}]", f"'{shown}' is not in groups; declare it there")
        asked = identity.second_step
        if asked is None:
            said = [group.second_step or () for group in inventory.groups_of(identity)]
            asked = tuple(step for steps in said for step in steps)
        if Step.TOTP in asked and identity.totp is None:
            _fail(f"{at}.totp", "is missing; a code is asked of them, name the secret's file")


def _check_keys(inventory: Inventory) -> None:
    """A key proves one identity: two owners would make `root@db1` mean either of them.

    Nor is an authority's key somebody's own: it would prove more than one by what it signs.
    """
    owners: dict[bytes, str] = {
        _blob(line, ""): f"groups.{group.name}.cert_authority[{place}]"
        for group in inventory.groups.values()
        for place, line in enumerate(group.cert_authority)
    }
    for identity in inventory.identities.values():
        for place, line in enumerate(identity.keys):
            at = f"identities.{identity.name}.keys[{place}]"
            first = owners.setdefault(_blob(line, at), at)
            if first != at:
                _fail(at, f"is the same key as {first}; a key proves one identity, once")


def _check_grants(inventory: Inventory) -> None:
    seen: dict[str, int] = {}
    for place, grant in enumerate(inventory.grants):
        operator = inventory.identities.get(grant.operator)
        if operator is None:
            _fail(f"grants[{place}].operator", f"{grant.operator} is not in identities")
        if Role.OPERATOR not in operator.roles:
            _fail(f"grants[{place}].operator", f"{grant.operator} has not the role operator")
        if grant.account not in inventory.accounts:
            _fail(
                f"grants[{place}].account",
                f"{grant.account} is not in targets.{grant.account.target}.accounts",
            )
        if seen.setdefault(grant.id, place) != place:
            _fail(f"grants[{place}]", f"says the same as grants[{seen[grant.id]}]; remove one")


def _fail(at: str, why: str) -> NoReturn:
    raise Usage(f"{at}: {why}")
