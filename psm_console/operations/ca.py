"""The host CA: one public line at the clients, and every target is known to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psm_console.credentials import CA_COMMENT, fingerprint, make_key, promote, read_public
from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.domain.text import visible
from psm_console.store import Home, Store

from .errors import NotFound, Usage, told
from .permission import require


@dataclass(frozen=True, slots=True)
class HostCaLines:
    """The public lines of the host CA, in OpenSSH's form."""

    current: str
    prepared: str | None
    """What takes its place at the next rotation, where that was prepared."""


@told
def show_ca(store: Store, actor: Identity, now: datetime) -> HostCaLines:
    """Return the public lines; NotFound when there is no host CA."""
    require(store, actor, Action.INVENTORY_READ, now)
    return host_ca_lines(store.home)


@told
def init_ca(store: Store, actor: Identity, now: datetime) -> HostCaLines:
    """Make the host CA where there is none; what is there stays."""
    actor = require(store, actor, Action.CA_INIT, now)
    with store.transaction():
        ensure_host_ca(store, actor, now)
    return host_ca_lines(store.home)


@told
def prepare_ca(store: Store, actor: Identity, now: datetime) -> HostCaLines:
    """Make the key of the next host CA, so that clients can trust it before it is used."""
    actor = require(store, actor, Action.CA_ROTATE, now)
    home = store.home
    _current(home)
    with store.transaction():
        if not home.next_host_ca.exists():
            line = make_key(home.next_host_ca, CA_COMMENT)
            _note(store, actor, now, "ca.prepare", {"host_ca": fingerprint(line)})
    return host_ca_lines(home)


@told
def rotate_ca(store: Store, actor: Identity, reason: str, now: datetime) -> HostCaLines:
    """Put the prepared key, or else a new one, in the host CA's place at once.

    The broker uses it from the next connection on; clients that trust the old line only are warned.
    """
    actor = require(store, actor, Action.CA_ROTATE, now)
    if not reason.strip():
        raise Usage("say why the host CA is rotated, with --reason")
    home = store.home
    with store.transaction():
        old = fingerprint(_current(home))
        make_key(home.next_host_ca, CA_COMMENT)
        new = fingerprint(read_public(home.next_host_ca))
        detail: dict[str, object] = {"old": old, "host_ca": new, "reason": visible(reason, 500)}
        _note(store, actor, now, "ca.rotate", detail)
        # Last: what can not be noted must not have happened.
        promote(home.next_host_ca, home.host_ca)
    return host_ca_lines(home)


def ensure_host_ca(store: Store, actor: Identity, now: datetime) -> None:
    """Make the host CA where there is none, and note that; inside a transaction."""
    if not store.home.host_ca.exists():
        line = make_key(store.home.host_ca, CA_COMMENT)
        _note(store, actor, now, "ca.init", {"host_ca": fingerprint(line)})


def host_ca_lines(home: Home) -> HostCaLines:
    """Read the public lines; NotFound when there is no host CA."""
    prepared = home.next_host_ca
    return HostCaLines(_current(home), read_public(prepared) if prepared.exists() else None)


def _current(home: Home) -> str:
    if not home.host_ca.exists():
        raise NotFound("this home has no host CA; make one with `psm ca init`")
    return read_public(home.host_ca)


def _note(
    store: Store, actor: Identity, now: datetime, action: str, detail: dict[str, object]
) -> None:
    store.audit.append(now, action, actor.name, on_behalf_of=actor.owner, detail=detail)
