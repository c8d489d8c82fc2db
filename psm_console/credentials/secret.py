"""A secret that does not show itself."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Bytes that stand in no repr, format, comparison, pickle or traceback of ours."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes):
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes; call it only where they are handed on."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # as a key it could be found by trying

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")
