"""What the process of a visit may open, and the secrets that must not lie in there."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import psm_console
from psm_console.confinement import Reach
from psm_console.domain.inventory import Inventory
from psm_console.store import Home

_SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"),
    *("/usr/share/zoneinfo", "/usr/share/locale", "/usr/share/i18n"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd"),
    "/dev/urandom",
)
"""What any program reads."""


def visitor_reach(home: Home) -> Reach:
    """Return what a visit needs of the machine: our code, the store, the recordings to read."""
    package = Path(psm_console.__file__).parent
    store = home.database
    return Reach(
        read=(
            *_python(),
            package,
            package.parent / "themes",
            home.recordings,
            home.allowed_signers,
            *map(Path, _SYSTEM),
        ),
        write=(
            store,
            # They are there for as long as a broker has the store open, so none must be made.
            store.with_name(f"{store.name}-wal"),
            store.with_name(f"{store.name}-shm"),
            Path("/dev/null"),
            Path("/dev/tty"),
        ),
        sockets=(home.run,),
    )


def secrets_in_reach(home: Home, inventory: Inventory) -> list[str]:
    """Return whose secrets lie where a visit may read: of accounts, and of one-time codes."""
    secrets = {str(ref): account.credential.path for ref, account in inventory.accounts.items()}
    secrets |= {one.name: one.totp for one in inventory.identities.values() if one.totp}
    open_to_it = [place.resolve() for place in visitor_reach(home).read]
    return sorted(
        whose
        for whose, path in secrets.items()
        if any(Path(path).resolve().is_relative_to(place) for place in open_to_it)
    )


def _python() -> tuple[Path, ...]:
    """Return where this Python and what is installed for it lies, and no checkout around us."""
    named = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    on_path = {place for place in sys.path if place.endswith(("site-packages", "dist-packages"))}
    libraries = str(Path(sys.base_prefix) / "lib")
    return tuple(Path(place) for place in sorted({*named, *on_path, libraries}) if place)
