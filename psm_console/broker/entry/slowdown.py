"""Slows down who fails to log in, and never who succeeds.

A stranger must not be able to lock an owner out by failing in their name or from their address, so
nothing here is asked before a good signature: it lets in at once. Only what fails is answered
later. Codes of the second step can be guessed, keys can not: there too many wrong ones do close the
door for a while, but only somebody with the identity's key gets that far.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

_KEPT = 4096
"""Sources, and names, remembered at most; the one that was quiet longest is forgotten."""
_FREE = 5
"""Failed logins that cost nothing yet."""
_FIRST_S = 0.05
_LONGEST_S, _LONGEST_NAME_S = 2.0, 0.5
"""An answer waits this long at most: for a source, and for a name, as its owner waits too."""
_LOCK = 30
"""Failed logins of a source after which its first wrong key ends the connection."""
_FORGET_S = 6.0
_WRONG = 5
"""Wrong second steps of an identity, after which none is tried for a while."""
_FORGET_WRONG_S = 60.0


class _Buckets:
    """Counts per key that run down by one each `forget_s`."""

    def __init__(self, forget_s: float, clock: Callable[[], float]) -> None:
        self._forget_s = forget_s
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def level(self, key: str) -> float:
        level, at = self._levels.get(key, (0.0, 0.0))
        return max(0.0, level - (self._clock() - at) / self._forget_s)

    def add(self, key: str) -> None:
        level = self.level(key) + 1
        self._levels[key] = (level, self._clock())
        self._levels.move_to_end(key)
        if len(self._levels) > _KEPT:
            self._levels.popitem(last=False)

    def clear(self, key: str) -> None:
        self._levels.pop(key, None)

    def __len__(self) -> int:
        return len(self._levels)


class Slowdown:
    """How often logins failed lately: by source address, by the name claimed, by identity."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._sources = _Buckets(_FORGET_S, clock)
        self._names = _Buckets(_FORGET_S, clock)
        self._wrong = _Buckets(_FORGET_WRONG_S, clock)

    @property
    def remembered(self) -> int:
        """Entries in memory."""
        return len(self._sources) + len(self._names) + len(self._wrong)

    def failed(self, source: str, name: str) -> None:
        """Count a connection that ended without proving anybody."""
        self._sources.add(_network(source))
        self._names.add(name)

    def delay_s(self, source: str, name: str) -> float:
        """Return how long a wrong answer to `source`, which claims `name`, has to wait."""
        return max(
            _delay(self._sources.level(_network(source)), _LONGEST_S),
            _delay(self._names.level(name), _LONGEST_NAME_S),
        )

    def locked(self, source: str) -> bool:
        """Whether `source` failed so often that its first wrong key ends the connection."""
        return self._sources.level(_network(source)) >= _LOCK

    def wrong(self, identity: str) -> None:
        """Count a wrong second step of who had the key of `identity`."""
        self._wrong.add(identity)

    def right(self, identity: str) -> None:
        """Forget what was wrong: who has key and code is who they say."""
        self._wrong.clear(identity)

    def closed(self, identity: str) -> bool:
        """Whether no second step of `identity` is tried for now."""
        return self._wrong.level(identity) > _WRONG - 1


def _delay(level: float, longest: float) -> float:
    if level < _FREE:
        return 0.0
    return float(min(longest, _FIRST_S * 2 ** min(level - _FREE, 20)))


def _network(source: str) -> str:
    """Return the address; of an IPv6 one the /64 that one customer has to choose from."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
