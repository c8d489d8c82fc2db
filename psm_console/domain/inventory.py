"""The nouns of the inventory: who may work, on what, with which credential."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .names import AccountRef, GrantId
from .second_step import Step

LOCAL = "local"
"""The identity of the OS user who owns the home; `init` makes it, `apply` never removes it."""


class Role(StrEnum):
    """What an identity may do; roles combine."""

    OPERATOR = "operator"
    """Works on targets through the broker."""
    ANALYST = "analyst"
    """Shadows live sessions."""
    SUPERVISOR = "supervisor"
    """An analyst who may also pause, resume, warn, terminate and approve."""
    REVIEWER = "reviewer"
    """Replays and signs off recordings."""
    AUDITOR = "auditor"
    """Reads and verifies the audit log and the integrity of recordings, not their content."""
    ADMIN = "admin"
    """Manages inventory and policy; alone can not replay."""


CONSOLE_ROLES = frozenset(Role) - {Role.OPERATOR}


class IdentityKind(StrEnum):
    """A person, or a non-human identity with a human owner."""

    PERSON = "person"
    SERVICE = "service"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who can prove who they are with one of `keys` (OpenSSH public key lines), or with a
    certificate that an authority of one of their `groups` signed."""

    name: str
    roles: frozenset[Role]
    keys: tuple[str, ...] = ()
    kind: IdentityKind = IdentityKind.PERSON
    owner: str | None = None
    groups: tuple[str, ...] = ()
    totp: str | None = None
    """The file that holds the secret of their one-time codes (never the secret)."""
    second_step: tuple[Step, ...] | None = None
    """What is asked after the key; None: what the groups say, or else the policy."""
    verify_required: bool | None = None
    """Whether only a security key that verified its user (PIN, fingerprint) lets them in; None:
    what the policy says."""


@dataclass(frozen=True, slots=True)
class Group:
    """Identities that have something in common when they log in.

    `cert_authority` are the OpenSSH public key lines of those who may sign their certificates.
    """

    name: str
    cert_authority: tuple[str, ...] = ()
    second_step: tuple[Step, ...] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A host that can be reached; `host_keys` are the only ones it may show (OpenSSH lines)."""

    name: str
    host: str
    port: int
    host_keys: tuple[str, ...]
    forwards: tuple[str, ...] = ()
    """Destinations that sessions may forward to, as `domain.forwards.listed` spells them."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A credential: the private key in this file."""

    path: str


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A credential: the password on the first line of this file."""

    path: str


CredentialRef = KeyFile | PasswordFile


@dataclass(frozen=True, slots=True)
class Account:
    """A privileged login on a target, and where the secret behind it is (never the secret)."""

    ref: AccountRef
    credential: CredentialRef


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to open `account`; a standing one has no `expires_at`."""

    id: GrantId
    operator: str
    account: AccountRef
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    supervised: bool = False
    """Whether its sessions work only while a supervisor watches them (domain.supervision)."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything `psm apply` declares, by name."""

    identities: dict[str, Identity]
    targets: dict[str, Target]
    accounts: dict[AccountRef, Account]
    grants: tuple[Grant, ...]
    groups: dict[str, Group] = field(default_factory=dict)

    def groups_of(self, identity: Identity) -> list[Group]:
        """Return the groups that `identity` is in."""
        return [self.groups[name] for name in identity.groups if name in self.groups]
