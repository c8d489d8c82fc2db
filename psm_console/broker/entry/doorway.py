"""How many connections may be logging in at once.

Somebody without a key can hold each for the login timeout. Without a cap that would use up the
descriptors that live sessions need for their recordings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from .attendance import Counts

_ALL = "logins"
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
    """Counts connections from their first byte until they are authenticated or gone.

    The limits hold over all workers; who makes room is one of this worker's own.
    """

    def __init__(
        self, clock: Callable[[], float], counts: Counts, patience_s: float = _PATIENCE_S
    ) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._counts = counts
        self._guests: dict[object, _Guest] = {}

    @property
    def waiting(self) -> int:
        """Connections that are not authenticated yet."""
        return len(self._guests)

    def enter(self, connection: object, address: str, abort: Callable[[], None]) -> bool:
        """Count `connection`; False when there is no room for it and nobody has to make any.

        Who is in it too long has to, and who came from an address that takes more places than the
        newcomer's: a crowd at the door is no reason to turn somebody else away. They are cut by
        the `abort` given for them.
        """
        now = self._clock()
        if self._counts.total(_key(address)) >= _PER_ADDRESS:
            same = (key for key, guest in self._guests.items() if guest.address == address)
            if not self._cut(next(same, None), now):
                return False
        elif self._counts.total(_ALL) >= _IN_ALL:
            crowding = self._crowding(address)
            if crowding is not None:
                self._put_out(crowding)
            elif not self._cut(next(iter(self._guests), None), now):
                return False
        self._guests[connection] = _Guest(address, now, abort)
        self._count(address, 1)
        return True

    def _count(self, address: str, by: int) -> None:
        self._counts.count(_key(address), by)
        self._counts.count(_ALL, by)

    def _cut(self, oldest: object | None, now: float) -> bool:
        guest = self._guests.get(oldest)
        if guest is None or now - guest.since < self._patience_s:
            return False
        self._put_out(oldest)
        return True

    def _crowding(self, address: str) -> object | None:
        """Return the oldest guest of the address with the most, if `address` has fewer than it."""
        places = Counter(guest.address for guest in self._guests.values())
        crowd, most = max(places.items(), key=lambda place: place[1], default=("", 0))
        if most <= places[address] + 1:
            return None
        return next(key for key, guest in self._guests.items() if guest.address == crowd)

    def _put_out(self, connection: object) -> None:
        guest = self._guests[connection]
        self.leave(connection)
        guest.abort()

    def leave(self, connection: object) -> None:
        """Count `connection` no more; harmless when it is not counted."""
        guest = self._guests.pop(connection, None)
        if guest is not None:
            self._count(guest.address, -1)


def _key(address: str) -> str:
    return f"address {address}"
