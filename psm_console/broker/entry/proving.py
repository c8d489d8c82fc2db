"""Whom a key or certificate could prove, here and now, before and after its signature is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from psm_console.credentials import CredentialError
from psm_console.domain.certificate import certificate_fault
from psm_console.domain.inventory import Identity
from psm_console.domain.names import Login
from psm_console.domain.policy import Policy

from .keyring import Keyring, Offer
from .moment import utc_now
from .signature import Attested, signed_by_authority

_VERIFY = (
    "{} needs a security key that verifies its user, by PIN or fingerprint "
    "(ssh-keygen -t ed25519-sk -O verify-required)"
)


@dataclass(frozen=True, slots=True)
class Prover:
    """Who a good signature would prove, and by what."""

    identity: Identity
    login: Login
    offer: Offer


@dataclass(frozen=True, slots=True)
class Unfit:
    """A key or certificate that is known, or well meant, and does not do; `why` is a sentence."""

    why: str


class ProvingGround(Protocol):
    """What keys are held against."""

    @property
    def keyring(self) -> Keyring:
        """The keys that prove somebody now."""

    @property
    def policy(self) -> Policy:
        """What holds for logins now."""


def find_prover(
    ground: ProvingGround, login: Login, blob: bytes, peer: str
) -> Prover | Unfit | None:
    """Return whom `blob` (SSH wire form) could prove for `login` from the address `peer`.

    None: it is nobody's.
    """
    try:
        offer = Offer.read(blob)
    except CredentialError as error:
        return Unfit(str(error))
    certificate = offer.certificate
    if certificate is not None:
        # In this order: strangers' certificates cost a look into a table and no more.
        if not ground.keyring.trusts(certificate.authority):
            return None
        if not signed_by_authority(certificate):
            return None
        if (fault := certificate_fault(certificate, peer, utc_now())) is not None:
            return Unfit(fault)
    identity = ground.keyring.owner(login, offer)
    if identity is None:
        if certificate is None:
            return None
        return Unfit(f"the {certificate.title} names nobody as a principal who logs in so")
    if not offer.attests and _wants_verified(ground, identity, offer):
        return Unfit(_VERIFY.format(identity.name))
    return Prover(identity, login, offer)


def unattested(ground: ProvingGround, prover: Prover, attested: Attested) -> str | None:
    """Return what the prover's signature should attest and does not, or None."""
    identity, offer = prover.identity, prover.offer
    if not offer.attests:
        return None
    if _wants_verified(ground, identity, offer) and not attested.verified:
        return _VERIFY.format(identity.name)
    if ground.policy.login.touch_required and not attested.touched:
        return "the security key was not touched for this login; use one that asks for it"
    return None


def _wants_verified(ground: ProvingGround, identity: Identity, offer: Offer) -> bool:
    said = identity.verify_required
    wanted = ground.policy.login.verify_required if said is None else said
    return wanted or (offer.certificate is not None and offer.certificate.verify_required)
