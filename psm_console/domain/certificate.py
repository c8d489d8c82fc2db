"""OpenSSH certificates: what one says, and whether that lets a person in here and now.

The wire form is PROTOCOL.certkeys of OpenSSH. That its authority is known and signed it is asked
before any of this; what an authority signed is still not enough.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime

from .text import visible

USER, HOST = 1, 2
FOREVER = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an authority signed about a key; times are seconds since 1970, `blob`s wire forms."""

    key_type: str
    key: bytes
    """The blob of the certified key."""
    authority: bytes
    """The blob of the key that signed."""
    kind: int
    serial: int
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    source_addresses: tuple[str, ...] | None = None
    """Networks that it may be used from; None: from anywhere."""
    verify_required: bool = False
    refused_options: tuple[str, ...] = ()
    """Critical options that nobody here can enforce; `force-command` is one of them."""
    permits: frozenset[str] = frozenset()
    """Its extensions, `permit-pty` and the like."""
    signed: bytes = field(default=b"", repr=False)
    """All that the authority's `signature` is over."""
    signature: bytes = field(default=b"", repr=False)

    @property
    def title(self) -> str:
        """How people speak of it: key id and serial."""
        return f'certificate "{visible(self.key_id, 80)}" serial {self.serial}'

    def valid_at(self, now: datetime) -> bool:
        """Whether `now` lies in its time: from `valid_after` on, until before `valid_before`."""
        return self.valid_after <= now.timestamp() < self.valid_before


def certificate_fault(certificate: Certificate, peer: str, now: datetime) -> str | None:
    """Return why `certificate` lets nobody in from the address `peer` at `now`, or None."""
    title = certificate.title
    if certificate.kind != USER:
        return f"the {title} is one for hosts; have a user certificate signed"
    if not certificate.principals:
        return f"the {title} names no principal; have one signed that names you (ssh-keygen -n)"
    if now.timestamp() < certificate.valid_after:
        return f"the {title} is not valid yet; check the clocks, or have a new one signed"
    if not certificate.valid_at(now):
        return f"the {title} has expired; have a new one signed"
    if certificate.refused_options:
        names = ", ".join(visible(name, 40) for name in certificate.refused_options[:3])
        return f"the {title} demands {names}, which is not done here; have one signed without it"
    if not _covers(certificate.source_addresses, peer):
        return f"the {title} may not be used from {visible(peer, 60)} (source-address)"
    return None


def _covers(networks: tuple[str, ...] | None, peer: str) -> bool:
    if networks is None:
        return True
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
        known = [ipaddress.ip_network(network) for network in networks]
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return any(address.version == network.version and address in network for network in known)
