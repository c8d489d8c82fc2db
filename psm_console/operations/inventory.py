"""The inventory: read, made equal to a file, changed one entry at a time.

What is taken away ends the live sessions that stood on it, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from psm_console.domain.access import Allowed, decide
from psm_console.domain.authorise import Action
from psm_console.domain.inventory import LOCAL, Account, Grant, Identity, Inventory, Role, Target
from psm_console.domain.names import AccountRef
from psm_console.domain.session import Directive, Session, SessionState, Verb
from psm_console.store import Store

from .errors import NotFound, Usage, told
from .inventory_check import check_credentials, check_inventory, with_local
from .permission import require
from .sessions import add_directive

_OVER = frozenset({SessionState.LOST, SessionState.ENDED, SessionState.ENDING})


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply did: names by what became of them, and the sessions it ended."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    ended: tuple[Directive, ...]

    @property
    def nothing(self) -> bool:
        """Whether all was as declared already."""
        return not (self.added or self.changed or self.removed)


@told
def read_inventory(store: Store, actor: Identity, now: datetime) -> Inventory:
    """Return the inventory: identities, targets, accounts, grants; no secret is in it."""
    require(store, actor, Action.INVENTORY_READ, now)
    return store.inventory.load()


@told
def apply(
    store: Store, actor: Identity, inventory: Inventory, now: datetime, *, read_only: bool = False
) -> Applied:
    """Make the stored inventory equal to `inventory`; `local` stays.

    Raises Usage, naming the path, when it does not hold together; then nothing has changed.
    """
    return _change(store, actor, now, lambda current: inventory, read_only)


@told
def add_identity(store: Store, actor: Identity, identity: Identity, now: datetime) -> Applied:
    """Add an identity, or replace the one of that name."""
    return _change(store, actor, now, lambda one: _with_identity(one, identity))


@told
def remove_identity(store: Store, actor: Identity, name: str, now: datetime) -> Applied:
    """Remove an identity and its grants, which ends its sessions."""
    if name == LOCAL:
        raise Usage(f"{LOCAL} owns this home and can not be removed")
    return _change(store, actor, now, lambda one: _without_identity(one, name))


@told
def add_target(
    store: Store, actor: Identity, target: Target, accounts: tuple[Account, ...], now: datetime
) -> Applied:
    """Add a target with accounts, or replace the one of that name; its other accounts stay."""

    def edit(one: Inventory) -> Inventory:
        more = {account.ref: account for account in accounts}
        targets = {**one.targets, target.name: target}
        return replace(one, targets=targets, accounts={**one.accounts, **more})

    return _change(store, actor, now, edit)


@told
def remove_target(store: Store, actor: Identity, name: str, now: datetime) -> Applied:
    """Remove a target with its accounts and their grants, which ends the sessions on it."""
    return _change(store, actor, now, lambda one: _without_target(one, name))


@told
def add_account(store: Store, actor: Identity, account: Account, now: datetime) -> Applied:
    """Add an account to a target that is known, or replace the one of that name."""

    def edit(one: Inventory) -> Inventory:
        if account.ref.target not in one.targets:
            raise NotFound(f"there is no target {account.ref.target}; add it first")
        return replace(one, accounts={**one.accounts, account.ref: account})

    return _change(store, actor, now, edit)


@told
def remove_account(store: Store, actor: Identity, ref: AccountRef, now: datetime) -> Applied:
    """Remove an account and its grants, which ends the sessions on it."""
    return _change(store, actor, now, lambda one: _without_account(one, ref))


@told
def add_grant(store: Store, actor: Identity, grant: Grant, now: datetime) -> Applied:
    """Add a standing right."""
    return _change(store, actor, now, lambda one: replace(one, grants=(*one.grants, grant)))


@told
def remove_grant(store: Store, actor: Identity, grant_id: str, now: datetime) -> Applied:
    """Remove a standing right, which ends the sessions that stood on it."""

    def edit(one: Inventory) -> Inventory:
        kept = tuple(grant for grant in one.grants if grant.id != grant_id)
        if len(kept) == len(one.grants):
            raise NotFound(f"there is no grant {grant_id}; see `psm grant ls`")
        return replace(one, grants=kept)

    return _change(store, actor, now, edit)


def _without_identity(one: Inventory, name: str) -> Inventory:
    if name not in one.identities:
        raise NotFound(f"there is no identity {name}; see `psm identity ls`")
    identities = {key: identity for key, identity in one.identities.items() if key != name}
    grants = tuple(grant for grant in one.grants if grant.operator != name)
    return replace(one, identities=identities, grants=grants)


def _with_identity(one: Inventory, identity: Identity) -> Inventory:
    return replace(one, identities={**one.identities, identity.name: identity})


def _without_target(one: Inventory, name: str) -> Inventory:
    if name not in one.targets:
        raise NotFound(f"there is no target {name}; see `psm target ls`")
    targets = {key: target for key, target in one.targets.items() if key != name}
    accounts = {ref: account for ref, account in one.accounts.items() if ref.target != name}
    grants = tuple(grant for grant in one.grants if grant.account.target != name)
    return replace(one, targets=targets, accounts=accounts, grants=grants)


def _without_account(one: Inventory, ref: AccountRef) -> Inventory:
    if ref not in one.accounts:
        raise NotFound(f"there is no account {ref}; see `psm account ls`")
    accounts = {key: account for key, account in one.accounts.items() if key != ref}
    grants = tuple(grant for grant in one.grants if grant.account != ref)
    return replace(one, accounts=accounts, grants=grants)


def _change(
    store: Store,
    actor: Identity,
    now: datetime,
    edit: Callable[[Inventory], Inventory],
    read_only: bool = False,
) -> Applied:
    known = require(store, actor, Action.INVENTORY_APPLY, now, read_only=read_only)
    with store.transaction():
        current = store.inventory.load()
        wanted = with_local(edit(current), current)
        check_inventory(wanted)
        check_credentials(wanted, current)
        done = _difference(current, wanted)
        if done.nothing:
            return done
        store.inventory.replace(wanted)
        detail = {"added": done.added, "changed": done.changed, "removed": done.removed}
        store.audit.append(
            now, "inventory.apply", known.name, on_behalf_of=known.owner, detail=detail
        )
        ended = tuple(
            add_directive(store, known, Verb.TERMINATE, session.id, why, "", now)
            for session in store.sessions.list()
            if session.state not in _OVER
            and (why := _lost_ground(session, current, wanted, now)) is not None
        )
    return replace(done, ended=ended)


def _lost_ground(
    session: Session, before: Inventory, after: Inventory, now: datetime
) -> str | None:
    """Return what was taken away that `session` stood on, or None while it still stands."""
    operator = after.identities.get(session.operator)
    if operator is None:
        return f"the identity {session.operator} was removed"
    if Role.OPERATOR not in operator.roles:
        return f"{session.operator} is no longer an operator"
    if session.account.target not in after.targets:
        return f"the target {session.account.target} was removed"
    if session.account not in after.accounts:
        return f"the account {session.account} was removed"
    if session.grant is None or any(grant.id == session.grant for grant in after.grants):
        return None
    old = next((grant for grant in before.grants if grant.id == session.grant), None)
    answer = decide(session.operator, session.account, after, now)
    # The broker cuts a session at the end of the grant it started with; another grant carries
    # it on only when it lasts at least as long, and asks for no supervisor that this one has not.
    if isinstance(answer, Allowed):
        if answer.grant.supervised and not (old is not None and old.supervised):
            return f"{session.account} is for {session.operator} under supervision only now"
        if _lasts(answer.grant, old):
            return None
    return f"the grant of {session.account} to {session.operator} was removed"


def _lasts(grant: Grant, old: Grant | None) -> bool:
    if grant.expires_at is None:
        return True
    return old is not None and old.expires_at is not None and grant.expires_at >= old.expires_at


def _difference(before: Inventory, after: Inventory) -> Applied:
    old, new = _named(before), _named(after)
    return Applied(
        added=tuple(name for name in new if name not in old),
        changed=tuple(name for name in new if name in old and old[name] != new[name]),
        removed=tuple(name for name in old if name not in new),
        ended=(),
    )


def _named(inventory: Inventory) -> dict[str, object]:
    """Return all entries by a name that says what they are."""
    return {
        **{f"identity {name}": one for name, one in inventory.identities.items()},
        **{f"group {name}": one for name, one in inventory.groups.items()},
        **{f"target {name}": one for name, one in inventory.targets.items()},
        **{f"account {ref}": one for ref, one in inventory.accounts.items()},
        **{_grant_name(grant): grant for grant in inventory.grants},
    }


def _grant_name(grant: Grant) -> str:
    until = "" if grant.expires_at is None else f" until {grant.expires_at:%Y-%m-%d %H:%M}Z"
    watched = ", supervised" if grant.supervised else ""
    return f"grant {grant.operator} → {grant.account}{until}{watched} ({grant.id})"
