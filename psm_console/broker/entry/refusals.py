"""What was refused, for the audit log, at a rate that nobody can turn into a flood.

Each entry is a wait for the disk in the one thread that also takes the supervisors' orders: a
stranger who knocks a thousand times a second, or an operator who asks for a forbidden channel as
often, must neither fill the disk nor keep an order waiting.
"""

from __future__ import annotations

from collections.abc import Callable

from psm_console.domain.names import SessionId

_BURST = 20
_EVERY_S = 3.0
_KEPT = 1000
"""Actors remembered at most."""

Write = Callable[[str, str, str, SessionId | None], None]


class Ration:
    """`burst` at once, and one more each `every_s` seconds."""

    def __init__(self, burst: int, every_s: float, at: float) -> None:
        self._burst = burst
        self._every_s = every_s
        self._left = float(burst)
        self._at = at
        self.missed = 0
        """Refused since the last that was let through."""

    def take(self, at: float) -> bool:
        """Whether one more is allowed at `at` (monotonic seconds)."""
        self._left = min(self._burst, self._left + (at - self._at) / self._every_s)
        self._at = at
        if self._left < 1:
            self.missed += 1
            return False
        self._left -= 1
        return True


class RefusalLog:
    """Writes refusals through `write`; past an actor's ration it only counts them."""

    def __init__(self, write: Write, clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._strangers = Ration(_BURST, _EVERY_S, clock())
        self._known: dict[str, Ration] = {}

    @property
    def missed(self) -> int:
        """Refusals that are counted and not in the log yet."""
        return self._strangers.missed + sum(one.missed for one in self._known.values())

    def stranger(self, action: str, who: str, detail: str) -> None:
        """Note what somebody was refused whom no key has proved: all of them share a ration."""
        self._note(self._strangers, action, who, detail, None)

    def known(self, action: str, who: str, detail: str, session: SessionId | None = None) -> None:
        """Note what the identity `who` was refused."""
        ration = self._known.get(who)
        if ration is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            ration = self._known[who] = Ration(_BURST, _EVERY_S, self._clock())
        self._note(ration, action, who, detail, session)

    def settle(self) -> None:
        """Write how many were only counted, as far as the rations let; call now and then."""
        for who, ration in [("strangers", self._strangers), *self._known.items()]:
            missed = ration.missed
            if not missed:
                continue
            if ration.take(self._clock()):
                ration.missed = 0
                self._write(
                    "refuse.flood", "broker", f"{who}: {missed} more refusals, not listed", None
                )
            else:
                ration.missed = missed

    def _note(
        self, ration: Ration, action: str, who: str, detail: str, session: SessionId | None
    ) -> None:
        if ration.take(self._clock()):
            self._write(action, who, detail, session)
