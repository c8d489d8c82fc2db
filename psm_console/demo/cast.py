"""Who and what there is in the demo, as keys, files and an inventory."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psm_console.credentials import make_key

JOINER = "ana"
"""The operator whose place is free: whoever runs the demo may join as her."""
PEOPLE = ("mira", "kai", "dev", "jon", "tom", "lena")
SERVICE = "nightly"
SUPERVISOR = "sue"


@dataclass(frozen=True, slots=True)
class Place:
    """A target as the inventory declares it: one account, with a key or a password."""

    name: str
    account: str
    port: int
    password: bool = False

    @property
    def ref(self) -> str:
        return f"{self.account}@{self.name}"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the demo keeps what is its own, below `work` (0700)."""

    work: Path

    @property
    def keys(self) -> Path:
        """The operators' private keys, named for them."""
        return self.work / "keys"

    @property
    def hosts(self) -> Path:
        """The targets' homes."""
        return self.work / "hosts"

    @property
    def secrets(self) -> Path:
        """Host keys and credentials of the targets."""
        return self.work / "secrets"

    @property
    def inventory(self) -> Path:
        return self.work / "inventory.toml"

    @property
    def known_hosts(self) -> Path:
        """What a client needs to know the broker."""
        return self.work / "known_hosts"

    @property
    def join_command(self) -> str:
        """A plain ssh that joins the demo as an operator."""
        return f"ssh -F {self.ssh_config} db1"

    @property
    def ssh_config(self) -> Path:
        """With this, `ssh -F FILE db1` joins as JOINER; beside `work`, for a short name."""
        return self.work.parent / "ssh"

    def create(self) -> None:
        for folder in (self.keys, self.hosts, self.secrets):
            folder.mkdir(mode=0o700)


def make_password(path: Path) -> str:
    """Write a new password (0600) and return it."""
    password = secrets.token_urlsafe(18)
    path.touch(mode=0o600)
    path.write_text(password + "\n")
    return password


def write_inventory(folders: Folders, places: Iterable[Place], host_keys: dict[str, str]) -> None:
    """Declare everybody and every target; operators get their keys on the way."""
    places = list(places)
    blocks = [_identity(name, ["operator"], folders) for name in (JOINER, *PEOPLE)]
    blocks.append(_identity(SUPERVISOR, ["supervisor", "reviewer"], folders))
    blocks.append(_identity(SERVICE, ["operator"], folders, owner="mira"))
    for place in places:
        blocks.append(_target(place, host_keys[place.name], folders))
    for operator in (JOINER, *PEOPLE, SERVICE):
        for place in places:
            if _works_on(operator, place):
                blocks.append(f'[[grants]]\noperator = "{operator}"\naccount = "{place.ref}"\n')
    folders.inventory.write_text("\n".join(blocks))


def _works_on(operator: str, place: Place) -> bool:
    own = {
        "db1": {"mira", "jon", "tom"},
        "web1": {"dev", "mira", SERVICE},
        "build1": {"kai", "dev"},
        "edge1": {"lena", "jon"},
    }
    return operator == JOINER or operator in own.get(place.name, set())


def _identity(name: str, roles: list[str], folders: Folders, owner: str | None = None) -> str:
    line = make_key(folders.keys / name, name)
    quoted = ", ".join(f'"{role}"' for role in roles)
    text = f'[identities.{name}]\nroles = [{quoted}]\nkeys = ["{line}"]\n'
    if owner is not None:
        text += f'kind = "service"\nowner = "{owner}"\n'
    return text


def _target(place: Place, host_key: str, folders: Folders) -> str:
    kind = "password_file" if place.password else "key_file"
    path = str(folders.secrets / f"{place.name}.credential")
    return (
        f'[targets.{place.name}]\naddress = "127.0.0.1:{place.port}"\n'
        f'host_keys = ["{host_key}"]\n'
        f"[targets.{place.name}.accounts.{place.account}]\n"
        f'credential = {{ {kind} = "{path}" }}\n'
    )


def write_client_files(
    folders: Folders, places: Iterable[Place], host: str, port: int, host_key: str
) -> None:
    """Write what a plain `ssh` needs to join through the broker at `host`:`port`."""
    folders.known_hosts.write_text(f"[{host}]:{port} {host_key}\n")
    names = " ".join(place.name for place in places)
    lines = [
        f"Host {names}",
        f"    HostName {host}",
        f"    Port {port}",
        f"    IdentityFile {folders.keys / JOINER}",
        f"    UserKnownHostsFile {folders.known_hosts}",
        "    IdentitiesOnly yes",
        "    GlobalKnownHostsFile /dev/null",
        "    StrictHostKeyChecking yes",
    ]
    for place in places:
        lines += [f"Host {place.name}", f"    User {JOINER}+{place.ref}"]
    folders.ssh_config.write_text("\n".join(lines) + "\n")
