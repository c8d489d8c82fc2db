"""Who sits at this terminal, or came to it over ssh."""

from __future__ import annotations

import os

from psm_console.domain.inventory import LOCAL, Identity
from psm_console.domain.text import visible
from psm_console.store import Home, Store

from .errors import Denied, Failed, told


@told
def local_identity(store: Store, home: Home) -> Identity:
    """Return `local`, the identity of the OS user who owns the home; Denied for anybody else."""
    if home.root.stat().st_uid != os.geteuid():
        raise Denied(f"{home.root} belongs to another user; connect through its broker instead")
    found = store.inventory.identity(LOCAL)
    if found is None:
        raise Failed(f"the identity {LOCAL} is missing from the store; run `psm init`")
    return found


@told
def visiting_identity(store: Store, name: str) -> Identity:
    """Return the identity that a broker has authenticated; Denied once it is offboarded."""
    found = store.inventory.identity(name)
    if found is None:
        raise Denied(f"{visible(name, 64)} is no longer in the inventory")
    return found
