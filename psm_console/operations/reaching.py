"""How a plain ssh client reaches targets through the broker, without a word about the broker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psm_console.credentials import read_public
from psm_console.domain.access import reachable
from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity, Role
from psm_console.store import Store

from .ca import host_ca_lines
from .errors import NotFound, told
from .permission import require


@dataclass(frozen=True, slots=True)
class WayIn:
    """What a client's configuration needs to know."""

    operator: str | None
    """Whose targets these are; None: all."""
    targets: tuple[str, ...]
    host_key: str
    """The broker's own, an OpenSSH line."""
    host_cas: tuple[str, ...]
    """Public lines: the host CA, and the one that is prepared to follow it."""
    listens: tuple[str, int] | None
    """Where a broker listens now."""


@told
def way_in(store: Store, actor: Identity, now: datetime, *, operator: str | None = None) -> WayIn:
    """Return how `operator` gets to the targets they may reach.

    An operator who names nobody is told of their own; who may read the inventory, of anybody's,
    and without a name of all targets.
    """
    actor = require(store, actor, Action.TARGET_REACH, now)
    if operator is None and Role.OPERATOR in actor.roles:
        operator = actor.name
    if operator != actor.name:
        require(store, actor, Action.INVENTORY_READ, now)
    inventory = store.inventory.load()
    if operator is None:
        targets = tuple(sorted(inventory.targets))
    elif operator in inventory.identities:
        targets = reachable(operator, inventory, now)
    else:
        raise NotFound(f"there is no identity {operator}; see `psm identity ls`")
    home = store.home
    lines = host_ca_lines(home)
    cas = (lines.current,) if lines.prepared is None else (lines.current, lines.prepared)
    listening = [worker for worker in store.workers.list() if worker.alive(now)]
    listens = (listening[-1].host, listening[-1].port) if listening else None
    return WayIn(operator, targets, read_public(home.host_key), cas, listens)
