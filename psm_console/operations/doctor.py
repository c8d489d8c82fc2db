"""Looks a home over: what is broken, what soon will be, and what to do about it.

Each check stands alone and never raises, so that a broken home is examined as far as it goes.
"""

from __future__ import annotations

import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psm_console.confinement import offered
from psm_console.credentials import CredentialError, check_credential, check_totp, parse_public_key
from psm_console.domain.text import visible
from psm_console.store import Home, HomeError, Store, StoreError, load_policy

from .errors import PsmError
from .visitor_reach import secrets_in_reach

_DESCRIPTORS = 4096
"""Fewer are not enough for a few hundred sessions of a dozen descriptors."""
_CONNECT_S = 3.0
"""How long a broker may take to accept a connection."""
_RECENT = 20
"""Recordings that were closed last and are verified."""


class Health(StrEnum):
    """How a checked thing does."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says; `said` is a sentence that ends in what to do, unless all is well."""

    check: str
    health: Health
    said: str


_Said = Iterator[tuple[Health, str]]


def examine(home: Home, now: datetime) -> list[Finding]:
    """Return what every check of `home` says, the foundations first."""
    findings = [
        *_run("home", lambda: _home(home)),
        *_run("policy", lambda: _policy(home)),
        *_run("signing key", lambda: _signers(home)),
        *_run("disk", lambda: _disk(home)),
        *_run("descriptors", _descriptors),
    ]
    try:
        with Store.open(home, read_only=True) as store:
            findings += _run("store", lambda: _integrity(store))
            findings += _run("audit log", lambda: _audit(store))
            findings += _run("broker", lambda: _broker(store, now))
            findings += _run("credentials", lambda: _credentials(store))
            findings += _run("consoles over ssh", lambda: _visits(home, store))
            findings += _run("recordings", lambda: _recordings(store))
    except (StoreError, HomeError) as error:
        findings.append(Finding("store", Health.BROKEN, str(error)))
    return findings


def _run(check: str, look: Callable[[], _Said]) -> list[Finding]:
    try:
        return [Finding(check, health, said) for health, said in look()]
    except (StoreError, PsmError, CredentialError, OSError, ValueError) as error:
        return [Finding(check, Health.BROKEN, visible(str(error), 300))]


def _home(home: Home) -> _Said:
    home.check()
    yield Health.OK, f"{visible(str(home.root), 200)} is ours and closed to others"


def _policy(home: Home) -> _Said:
    load_policy(home.config)
    said = "config.toml is as it should be" if home.config.exists() else "the defaults hold"
    yield Health.OK, said


def _signers(home: Home) -> _Said:
    """A broker whose signatures nobody trusts would make evidence that proves nothing."""
    public = home.recording_key.with_suffix(".pub")
    if not home.recording_key.exists() or not home.host_key.exists():
        yield Health.BROKEN, "a key of this home is missing; run `psm init`, or put a backup back"
        return
    blob = parse_public_key(public.read_text().strip()).blob
    lines = home.allowed_signers.read_text().splitlines()
    trusted = [line for line in lines if line.strip() and not line.startswith("#")]
    for line in trusted:
        if 'namespaces="psm-recording"' in line and parse_public_key(_key_of(line)).blob == blob:
            yield Health.OK, "recordings are signed by a key that allowed_signers trusts"
            return
    yield Health.BROKEN, "allowed_signers does not trust the recording key; run `psm init`"


def _key_of(line: str) -> str:
    """Return `TYPE BASE64` of an allowed_signers line; ssh-keygen(1)."""
    words = line.split()
    start = next(i for i, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-")))
    return " ".join(words[start : start + 2])


def _disk(home: Home) -> _Said:
    policy = load_policy(home.config).recording
    usage = shutil.disk_usage(home.recordings if home.recordings.exists() else home.root)
    free = usage.free / usage.total
    said = f"{free:.0%} of the recordings' disk are free"
    if free < policy.disk_refuse:
        yield Health.BROKEN, f"{said}: no session starts; move old recordings away"
    elif free < policy.disk_warn:
        yield Health.WARNING, f"{said}; at {policy.disk_refuse:.0%} no session starts: make room"
    else:
        yield Health.OK, said


def _descriptors() -> _Said:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _DESCRIPTORS:
        yield (
            Health.WARNING,
            f"a broker started here may open {soft} files; for hundreds of sessions raise it "
            f"(ulimit -n {_DESCRIPTORS}, LimitNOFILE= in the service)",
        )
    else:
        yield Health.OK, f"a broker started here may open {soft} files"


def _integrity(store: Store) -> _Said:
    store.check_integrity()
    yield Health.OK, "psm.db is whole"


def _audit(store: Store) -> _Said:
    verdict = store.audit.verify(None)
    if verdict.ok:
        yield Health.OK, f"{verdict.count} entries, none changed or removed"
    else:
        yield (
            Health.BROKEN,
            f"it breaks at entry {verdict.first_bad}: {verdict.detail}. Keep the home as it is "
            "and find out who could write to it",
        )


def _broker(store: Store, now: datetime) -> _Said:
    alive = [one for one in store.workers.list() if one.alive(now)]
    if alive:
        ways = sorted({(one.host, one.port) for one in alive})
        where = ", ".join(f"{host}:{port}" for host, port in ways)
        # Seen from another machine or container a broker may be out of reach and well.
        if any(one.runs() for one in alive) and not any(_accepts(*way) for way in ways):
            yield (
                Health.BROKEN,
                f"{len(alive)} workers still run, but nobody accepts connections on {where}: "
                "their supervisor is gone; start a broker with `psm serve`, sessions go on",
            )
            return
        yield Health.OK, f"{len(alive)} workers on {where}"
        return
    kept = [one for one in store.workers.list() if one.runs()]
    if kept:
        since = (now - max(one.heartbeat_at for one in kept)).total_seconds()
        yield (
            Health.BROKEN,
            f"{len(kept)} workers run, but none has written to the store for {since:.0f} s: "
            "another program holds it, or they hang; see the broker's log",
        )
    else:
        yield Health.WARNING, "none runs on this home; start one with `psm serve`"


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _CONNECT_S).close()
    except OSError:
        return False
    return True


def _credentials(store: Store) -> _Said:
    inventory = store.inventory.load()
    accounts = inventory.accounts
    bad = 0
    for account in accounts.values():
        try:
            check_credential(account.credential)
        except CredentialError as error:
            bad += 1
            yield Health.BROKEN, f"{account.ref}: {error}"
    for identity in inventory.identities.values():
        if identity.totp is not None:
            try:
                check_totp(identity.totp)
            except CredentialError as error:
                bad += 1
                yield Health.BROKEN, f"one-time codes of {identity.name}: {error}"
    if not bad:
        yield Health.OK, f"{len(accounts)} accounts, each with a credential that can be read"


def _visits(home: Home, store: Store) -> _Said:
    landlock = offered()
    if not landlock:
        required = load_policy(home.config).console.require_confinement
        yield (
            Health.WARNING,
            "this kernel has no Landlock (5.13 and newer, lsm=…,landlock): consoles over ssh "
            + (
                "are refused, as the policy wants them confined" if required else "are not confined"
            ),
        )
        return
    exposed = secrets_in_reach(home, store.inventory.load())
    for whose in exposed:
        yield Health.BROKEN, f"the secret of {whose} lies where they could read it; move its file"
    if not exposed:
        yield Health.OK, f"the kernel keeps them from keys and programs (Landlock {landlock})"


def _recordings(store: Store) -> _Said:
    """Verify what was closed last: a key or a disk that went bad shows here first."""
    from .recordings import judge

    closed = [info for info in store.recordings.list() if info.closed_at is not None][-_RECENT:]
    bad = 0
    for info in closed:
        verdict = judge(store, info)
        if not verdict.ok:
            bad += 1
            yield Health.BROKEN, f"{info.id} reads {verdict.word}; see `psm recording verify`"
    if not bad:
        yield Health.OK, f"the {len(closed)} that were closed last verify"
