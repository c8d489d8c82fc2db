"""How many connections may be logging in at once.

Somebody without a key can hold each for the login timeout. Without a cap that would use up the
descriptors that live sessions need for their recordings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

_PER_ADDRESS = 64
_IN_ALL = 256
_PATIENCE_S = 3.0
"""Past this a login gives way to a newer one when there is no room."""


@dataclass(frozen=True, slots=True)
class _Guest:
    address: str
    since: float
    abort: Callable[[], None]


class Doorway:
    """Counts connections from their first byte until they are authenticated or gone."""

    def __init__(self, clock: Callable[[], float], patience_s: float = _PATIENCE_S) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._guests: dict[object, _Guest] = {}
        self._addresses: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Connections that are not authenticated yet."""
        return len(self._guests)

    def enter(self, connection: object, address: str, abort: Callable[[], None]) -> bool:
        """Count `connection`; False when there is no room for it and nobody is in it too long.

        Whoever makes room is cut by the `abort` given for them.
        """
        now = self._clock()
        if self._addresses[address] >= _PER_ADDRESS:
            same = (key for key, guest in self._guests.items() if guest.address == address)
            if not self._cut(next(same), now):
                return False
        elif self.waiting >= _IN_ALL and not self._cut(next(iter(self._guests)), now):
            return False
        self._guests[connection] = _Guest(address, now, abort)
        self._addresses[address] += 1
        return True

    def _cut(self, oldest: object, now: float) -> bool:
        guest = self._guests[oldest]
        if now - guest.since < self._patience_s:
            return False
        self.leave(oldest)
        guest.abort()
        return True

    def leave(self, connection: object) -> None:
        """Count `connection` no more; harmless when it is not counted."""
        guest = self._guests.pop(connection, None)
        if guest is not None:
            self._addresses[guest.address] -= 1
            if not self._addresses[guest.address]:
                del self._addresses[guest.address]
