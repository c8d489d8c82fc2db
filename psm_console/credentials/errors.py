"""What can go wrong with a key or a credential, as a sentence that holds no secret."""

from __future__ import annotations


class CredentialError(Exception):
    """A key or credential can not be used; the text says why and what to do next."""
