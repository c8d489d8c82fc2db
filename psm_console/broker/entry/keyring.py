"""Whose key is whose: what an inventory says of public keys and of certificate authorities."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from psm_console.credentials import (
    CredentialError,
    PublicKey,
    parse_certificate,
    parse_public_key,
)
from psm_console.domain.certificate import Certificate
from psm_console.domain.inventory import Identity, Inventory
from psm_console.domain.names import Login
from psm_console.domain.second_step import Answers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A public key as a client offers it, alone or in a certificate; nobody's word yet."""

    key: bytes
    """Its SSH wire form; of a certificate, the certified key's."""
    certificate: Certificate | None = None

    @classmethod
    def read(cls, blob: bytes) -> Offer:
        """Return what the wire form `blob` offers; CredentialError for a damaged certificate."""
        certificate = parse_certificate(blob)
        return cls(blob if certificate is None else certificate.key, certificate)

    @property
    def how(self) -> str:
        """What people call it: `key SHA256:…`, or the certificate and whose it is."""
        if self.certificate is None:
            return f"key {_fingerprint(self.key)}"
        return f"{self.certificate.title} of {_fingerprint(self.certificate.authority)}"

    @property
    def attests(self) -> bool:
        """Whether its signatures say that somebody touched the key: a security key (FIDO)."""
        return self.key[4:].startswith(b"sk-")


@dataclass(frozen=True, slots=True)
class Proof:
    """Who somebody is, under which login, by which key; and what they answered beyond it."""

    identity: Identity
    login: Login
    offer: Offer
    answers: Answers = field(default_factory=Answers)

    def expired(self, now: datetime) -> bool:
        """Whether it stood on a certificate whose time is over."""
        certificate = self.offer.certificate
        return certificate is not None and not certificate.valid_at(now)


class Keyring:
    """The public keys of an inventory, and the authorities of its groups, by their wire form."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._owners: dict[bytes, list[Identity]] = {}
        self._members: dict[bytes, list[Identity]] = {}
        for identity in inventory.identities.values():
            for key in _blobs(identity.keys, identity.name):
                self._owners.setdefault(key, []).append(identity)
            for group in inventory.groups_of(identity):
                for key in _blobs(group.cert_authority, f"group {group.name}"):
                    self._members.setdefault(key, []).append(identity)

    @property
    def inventory(self) -> Inventory:
        """What it was made of."""
        return self._inventory

    def trusts(self, authority: bytes) -> bool:
        """Whether `authority` (wire form) may sign for anybody."""
        return authority in self._members

    def holds(self, proof: Proof) -> bool:
        """Whether the key that proved somebody still does; a certificate's time is not asked."""
        owner = self.owner(proof.login, proof.offer)
        return owner is not None and owner.name == proof.identity.name

    def owner(self, login: Login, offer: Offer) -> Identity | None:
        """Return whom `offer` proves for `login`, or None; its signatures are checked elsewhere.

        Where the login names nobody, it must belong to one identity only: a key shared by two
        names neither, and so does a certificate with two principals of its authority's groups.
        """
        certificate = offer.certificate
        if certificate is None:
            owners = self._owners.get(offer.key, [])
        else:
            members = {one.name: one for one in self._members.get(certificate.authority, [])}
            owners = [one for name, one in members.items() if name in certificate.principals]
        if login.operator is not None:
            return next((owner for owner in owners if owner.name == login.operator), None)
        return owners[0] if len(owners) == 1 else None


def _blobs(lines: Iterable[str], whose: str) -> list[bytes]:
    found = []
    for line in lines:
        try:
            found.append(parse_public_key(line).blob)
        except CredentialError:
            # One bad line must not lock everybody out: it lets nobody in, that is all.
            log.error("a key of %s can not be read and opens nothing", whose)
    return found


def _fingerprint(blob: bytes) -> str:
    return PublicKey("", blob).fingerprint
