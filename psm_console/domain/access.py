"""Whether an operator may start a session: default deny, one function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .inventory import Account, Grant, Inventory, Role, Target
from .names import AccountRef


@dataclass(frozen=True, slots=True)
class Allowed:
    """The session may start, on the strength of `grant`."""

    target: Target
    account: Account
    grant: Grant


@dataclass(frozen=True, slots=True)
class Refused:
    """The session may not start; `reason` says why and what to do, for the operator to read."""

    reason: str


def decide(
    operator: str, account: AccountRef, inventory: Inventory, now: datetime
) -> Allowed | Refused:
    """Say whether `operator` may open `account` at `now` (aware UTC).

    An account that is unknown and one without a grant get the same sentence, so that the
    inventory can not be listed by trying names.
    """
    identity = inventory.identities.get(operator)
    if identity is None or Role.OPERATOR not in identity.roles:
        return Refused(f"{operator} is not an operator here; ask an admin for the role")
    grant = _grant_for(operator, account, inventory, now)
    target = inventory.targets.get(account.target)
    found = inventory.accounts.get(account)
    if grant is None or target is None or found is None:
        return Refused(
            f"{operator} has no grant for {account}; check the name, or ask for access to it"
        )
    return Allowed(target, found, grant)


def reachable(operator: str, inventory: Inventory, now: datetime) -> tuple[str, ...]:
    """Return the names of the targets on which `operator` may open some account at `now`."""
    accounts = {grant.account for grant in inventory.grants if grant.operator == operator}
    allowed = (
        account.target
        for account in accounts
        if isinstance(decide(operator, account, inventory, now), Allowed)
    )
    return tuple(sorted(set(allowed)))


def may_reach(operator: str, target: str, inventory: Inventory, now: datetime) -> bool:
    """Say whether `operator` may open some account on `target` at `now`."""
    accounts = {
        grant.account
        for grant in inventory.grants
        if grant.operator == operator and grant.account.target == target
    }
    return any(
        isinstance(decide(operator, account, inventory, now), Allowed) for account in accounts
    )


def _grant_for(
    operator: str, account: AccountRef, inventory: Inventory, now: datetime
) -> Grant | None:
    """Return the grant that lasts longest among those in force; a supervised one goes first.

    The strictest word holds: one that asks for a supervisor is not undone by one beside it.
    """
    in_force = [
        grant
        for grant in inventory.grants
        if grant.operator == operator
        and grant.account == account
        and (grant.starts_at is None or grant.starts_at <= now)
        and (grant.expires_at is None or now < grant.expires_at)
    ]
    in_force = [grant for grant in in_force if grant.supervised] or in_force
    standing = [grant for grant in in_force if grant.expires_at is None]
    if standing:
        return standing[0]
    return max(in_force, key=lambda grant: grant.expires_at or now, default=None)
