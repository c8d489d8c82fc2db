"""What an inventory.toml may say: read strictly, every fault named by its path."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from psm_console.credentials import CredentialError, parse_public_key
from psm_console.domain.forwards import listed
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
from psm_console.domain.names import NAME_RULE, AccountRef, GrantId, is_name
from psm_console.domain.second_step import Step
from psm_console.domain.text import visible
from psm_console.store import DocumentError
from psm_console.store.documents import decode, read_toml, table_at

from .errors import Usage, told

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    identities: Any = msgspec.field(default_factory=dict)
    groups: Any = msgspec.field(default_factory=dict)
    targets: Any = msgspec.field(default_factory=dict)
    grants: Any = msgspec.field(default_factory=list)


class _TotpTable(msgspec.Struct, forbid_unknown_fields=True):
    file: str


class _IdentityTable(msgspec.Struct, forbid_unknown_fields=True):
    roles: list[Role]
    keys: list[str] = []
    kind: IdentityKind = IdentityKind.PERSON
    owner: str | None = None
    groups: list[str] = []
    totp: _TotpTable | None = None
    second_step: list[Step] | None = None
    verify_required: bool | None = None


class _GroupTable(msgspec.Struct, forbid_unknown_fields=True):
    cert_authority: list[str] = []
    second_step: list[Step] | None = None


class _TargetTable(msgspec.Struct, forbid_unknown_fields=True):
    address: str
    host_keys: list[str]
    forwards: list[str] = []
    accounts: Any = msgspec.field(default_factory=dict)


class _CredentialTable(msgspec.Struct, forbid_unknown_fields=True):
    key_file: str | None = None
    password_file: str | None = None
    vault: str | None = None
    ca: bool | None = None


class _AccountTable(msgspec.Struct, forbid_unknown_fields=True):
    credential: _CredentialTable


class _GrantTable(msgspec.Struct, forbid_unknown_fields=True):
    operator: str
    account: str
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    supervised: bool = False


@told
def read_inventory_file(path: Path) -> Inventory:
    """Return the inventory that the TOML file at `path` declares, without `local`'s own part.

    Relative credential files are taken from the file's folder. Raises Usage with a sentence
    that begins with the path of the fault, such as `targets.db1.host_keys[0]: …`. Whether
    what it says holds together is asked by `check_inventory`.
    """
    try:
        tables = read_toml(path)
    except FileNotFoundError:
        raise Usage(
            f"there is no inventory at {visible(str(path), 200)}; name the file that declares "
            "identities, targets and grants"
        ) from None
    return inventory_of(tables, Path(path).absolute().parent)


def inventory_of(tables: dict[str, Any], folder: Path) -> Inventory:
    """Return the inventory that decoded TOML declares; DocumentError names the path."""
    file = decode(tables, _File)
    identities = {
        name: _identity(name, table, f"identities.{name}", folder)
        for name, table in _named(file.identities, "identities")
    }
    groups = {
        name: _group(name, table, f"groups.{name}") for name, table in _named(file.groups, "groups")
    }
    targets: dict[str, Target] = {}
    accounts: dict[AccountRef, Account] = {}
    for name, table in _named(file.targets, "targets"):
        at = f"targets.{name}"
        row = decode(table, _TargetTable, at)
        targets[name] = _target(name, row, at)
        for account, inner in _named(row.accounts, f"{at}.accounts"):
            made = _account(AccountRef(account, name), inner, f"{at}.accounts.{account}", folder)
            accounts[made.ref] = made
    if not isinstance(file.grants, list):
        _fail("grants", "expected a list; write each grant under [[grants]]")
    grants = tuple(_grant(table, f"grants[{place}]") for place, table in enumerate(file.grants))
    return Inventory(identities, targets, accounts, grants, groups)


def grant_id(
    operator: str, account: AccountRef, *window: datetime | None, supervised: bool = False
) -> GrantId:
    """Return the id of a standing grant: the same grant has the same id at each `apply`."""
    more = ["supervised"] if supervised else []
    text = "\n".join([operator, str(account), *(str(at) for at in window), *more])
    return GrantId(f"g-{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def _named(table: object, at: str) -> list[tuple[str, Any]]:
    """Return the entries of a table whose keys are names."""
    entries = list(table_at(table, at).items())
    for name, _ in entries:
        if not is_name(name):
            _fail(at, f"'{visible(name, 80)}' is not a name; names are {NAME_RULE}")
    return entries


def _identity(name: str, table: object, at: str, folder: Path) -> Identity:
    row = decode(table, _IdentityTable, at)
    if row.owner is not None and not is_name(row.owner):
        _fail(f"{at}.owner", f"'{visible(row.owner, 80)}' is not a name; names are {NAME_RULE}")
    return Identity(
        name,
        frozenset(row.roles),
        _keys(row.keys, f"{at}.keys"),
        row.kind,
        row.owner,
        groups=tuple(dict.fromkeys(row.groups)),
        totp=None if row.totp is None else _path(row.totp.file, f"{at}.totp.file", folder),
        second_step=_steps(row.second_step),
        verify_required=row.verify_required,
    )


def _group(name: str, table: object, at: str) -> Group:
    row = decode(table, _GroupTable, at)
    return Group(name, _keys(row.cert_authority, f"{at}.cert_authority"), _steps(row.second_step))


def _steps(said: list[Step] | None) -> tuple[Step, ...] | None:
    return None if said is None else tuple(step for step in Step if step in said)


def _target(name: str, row: _TargetTable, at: str) -> Target:
    if not row.host_keys:
        _fail(f"{at}.host_keys", "at least one is needed; see `ssh-keyscan HOST`, and check it")
    keys = _keys(row.host_keys, f"{at}.host_keys")
    host, port = _address(row.address, f"{at}.address")
    return Target(name, host, port, keys, _forwards(row.forwards, f"{at}.forwards"))


def _forwards(entries: list[str], at: str) -> tuple[str, ...]:
    made: dict[str, None] = {}
    for place, entry in enumerate(entries):
        try:
            made[listed(entry)] = None
        except ValueError as error:
            _fail(f"{at}[{place}]", str(error))
    return tuple(made)


def _keys(lines: list[str], at: str) -> tuple[str, ...]:
    return tuple(_key(line, f"{at}[{place}]") for place, line in enumerate(lines))


def _key(line: str, at: str) -> str:
    try:
        return parse_public_key(line).line
    except CredentialError as error:
        _fail(at, str(error))


def _address(text: str, at: str) -> tuple[str, int]:
    """Return host and port of `host`, `host:port`, `[v6]:port` or a bare IPv6 address."""
    host, port = text, "22"
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            _fail(at, f"'{visible(text, 80)}' is not [IPV6]:PORT")
        port = rest[1:] if rest else port
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536):
        _fail(at, f"'{visible(text, 80)}' has no port from 1 to 65535; expected HOST:PORT")
    if not _HOST.fullmatch(host) and not _is_ip(host):
        _fail(at, f"'{visible(text, 80)}' is not HOST:PORT")
    return host, int(port)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    # A zone (`%eth0`) would name another machine on each broker.
    return "%" not in host


def _account(ref: AccountRef, table: object, at: str, folder: Path) -> Account:
    return Account(ref, _credential(decode(table, _AccountTable, at), f"{at}.credential", folder))


def _credential(row: _AccountTable, at: str, folder: Path) -> CredentialRef:
    said = row.credential
    given = [name for name in said.__struct_fields__ if getattr(said, name) is not None]
    match given:
        case ["key_file"]:
            return KeyFile(_path(str(said.key_file), f"{at}.key_file", folder))
        case ["password_file"]:
            return PasswordFile(_path(str(said.password_file), f"{at}.password_file", folder))
        case ["vault" | "ca"]:
            _fail(f"{at}.{given[0]}", "not available yet; use key_file or password_file")
        case _:
            _fail(at, "expected exactly one of key_file and password_file")


def _path(text: str, at: str, folder: Path) -> str:
    if not text or "\0" in text:
        _fail(at, "expected the name of a file")
    # Joined, not resolved: a link may be pointed at a newer secret later.
    return str(folder / Path(text).expanduser())


def _grant(table: object, at: str) -> Grant:
    row = decode(table, _GrantTable, at)
    if not is_name(row.operator):
        _fail(f"{at}.operator", f"'{visible(row.operator, 80)}' is not a name; {NAME_RULE}")
    account = AccountRef.parse(row.account)
    if account is None:
        _fail(f"{at}.account", f"'{visible(row.account, 80)}' is not ACCOUNT@TARGET")
    starts, expires = (
        _instant(value, f"{at}.{name}")
        for name, value in (("starts_at", row.starts_at), ("expires_at", row.expires_at))
    )
    if starts is not None and expires is not None and expires <= starts:
        _fail(f"{at}.expires_at", "expected a time after starts_at")
    made = grant_id(row.operator, account, starts, expires, supervised=row.supervised)
    return Grant(made, row.operator, account, starts, expires, row.supervised)


def _instant(value: datetime | None, at: str) -> datetime | None:
    if value is not None and value.tzinfo is None:
        _fail(at, "the time has no zone; write it with Z or an offset, 2026-11-21T18:00:00Z")
    return None if value is None else value.astimezone(UTC)


def _fail(at: str, why: str) -> NoReturn:
    raise DocumentError(f"{at}: {why}")
