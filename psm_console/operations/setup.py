"""Makes a home, and opens one: the only ways in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from psm_console.credentials import CA_COMMENT, ensure_signers, fingerprint, make_key
from psm_console.domain.inventory import CONSOLE_ROLES, LOCAL, Identity
from psm_console.domain.text import visible
from psm_console.store import BUSY_S, Home, Store

from .ca import ensure_host_ca
from .errors import Failed, told


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `init` left behind."""

    home: Home
    created: bool
    """False when all was there already."""
    host_key: str
    """The broker's public host key, an OpenSSH line for known_hosts."""
    host_key_fingerprint: str
    recording_key_fingerprint: str


@told
def init(home: Home, now: datetime) -> Initialised:
    """Make the home, its keys, the store and the identity `local`; what is there stays.

    Never asks. May be repeated, also by two processes at once.
    """
    home.create()
    _check_not_lost(home)
    host = make_key(home.host_key, "psm host key")
    recording = make_key(home.recording_key, "psm recording key")
    ensure_signers(home.allowed_signers, recording)
    home.check()
    with Store.create(home) as store, store.transaction():
        inventory = store.inventory.load()
        created = LOCAL not in inventory.identities
        if created:
            local = Identity(LOCAL, CONSOLE_ROLES)
            identities = {LOCAL: local, **inventory.identities}
            ca = make_key(home.host_ca, CA_COMMENT)
            store.inventory.replace(replace(inventory, identities=identities))
            store.audit.append(
                now,
                "home.init",
                LOCAL,
                detail={
                    "host_key": fingerprint(host),
                    "recording_key": fingerprint(recording),
                    "host_ca": fingerprint(ca),
                },
            )
        else:
            # A home that was made before there was a host CA.
            ensure_host_ca(store, inventory.identities[LOCAL], now)
    return Initialised(home, created, host, fingerprint(host), fingerprint(recording))


def _check_not_lost(home: Home) -> None:
    """Refuse to put a new store where one must have been: it would disown all evidence."""
    if not home.database.exists() and any(home.recordings.iterdir()):
        raise Failed(
            f"{visible(str(home.database), 200)} is missing but there are recordings: put back a "
            f"backup of it, or move {visible(str(home.recordings), 200)} away to begin anew"
        )


@told
def open_store(home: Home, *, read_only: bool = False, busy_s: float = BUSY_S) -> Store:
    """Return the store of a home that is ours and closed to others; the caller closes it.

    `read_only` is for copies of evidence: looking can not be noted there, so live sessions and
    recordings are not shown from it. `busy_s` is how long another program's lock is waited for.
    """
    home.check()
    return Store.open(home, read_only=read_only, busy_s=busy_s)
