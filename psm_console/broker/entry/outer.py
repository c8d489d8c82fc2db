"""What an inner connection takes from the outer one that carries it (`ssh -J broker root@db1`)."""

from __future__ import annotations

from dataclasses import dataclass

from psm_console.domain.names import AccountRef, Login, is_name

from .keyring import Proof

Peer = tuple[str, int]
"""A client's address and port."""
INNER_FORM = "log in as an account of it, for example ssh -J broker root@db1"


@dataclass(frozen=True, slots=True)
class Outer:
    """The outer connection: who proved themselves there, from where, and which target was named.

    What the outer login asked beyond the key is in `proof` and is not asked again inside.
    """

    proof: Proof
    peer: Peer
    target: str

    def login(self, user: str) -> Login | None:
        """Return what the inner user name asks for: an account of the target, by the same identity.

        The operator is never read from the inner name, so that a key of anybody else proves
        nothing here.
        """
        if not is_name(user):
            return None
        return Login(self.proof.identity.name, AccountRef(user, self.target))
