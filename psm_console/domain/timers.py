"""A live session's limits as deadlines in monotonic seconds, each with a warning before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .policy import Limits


class Limit(StrEnum):
    """What can end a session by itself."""

    IDLE = "idle"
    DURATION = "duration"
    GRANT = "grant"
    PAUSE = "pause"
    UNSUPERVISED = "unsupervised"
    DRAIN = "drain"


_ENDINGS = {
    Limit.IDLE: "no input for {span}",
    Limit.DURATION: "the longest duration of {span} is reached",
    Limit.GRANT: "the grant has expired",
    Limit.PAUSE: "paused for {span}, the longest a pause may last",
    Limit.UNSUPERVISED: "no supervisor has watched for {span}",
    Limit.DRAIN: "the broker is being replaced",
}
_NONE_WARNED: frozenset[Limit] = frozenset()
_WARNINGS = {
    Limit.IDLE: "this session ends in {left} unless you type",
    Limit.DURATION: "this session ends in {left}: its longest duration is reached then",
    Limit.GRANT: "this session ends in {left}: the grant expires then",
    Limit.PAUSE: "this session stays paused and is ended in {left}",
    Limit.UNSUPERVISED: "this session ends in {left} unless a supervisor watches",
    Limit.DRAIN: "this session ends in {left}: the broker is being replaced; "
    "log in again to go on in a new one",
}


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline that has come: a warning, or the end."""

    sentence: str
    ends: bool
    limit: Limit


class Timers:
    """Deadlines in seconds since the session began."""

    def __init__(self, limits: Limits, grant_expires_at: float | None) -> None:
        self._limits = limits
        self._spans = {
            Limit.IDLE: limits.idle_s,
            Limit.DURATION: limits.duration_s,
            Limit.GRANT: grant_expires_at or 0.0,
            Limit.PAUSE: limits.pause_s,
            Limit.UNSUPERVISED: limits.unsupervised_s,
            Limit.DRAIN: 0.0,
        }
        self._ends: dict[Limit, float] = {}
        self._warned = _NONE_WARNED
        self._set(Limit.IDLE, limits.idle_s)
        self._set(Limit.DURATION, limits.duration_s)
        if grant_expires_at is not None:
            self._ends[Limit.GRANT] = grant_expires_at

    def _set(self, limit: Limit, span: float, since: float = 0.0) -> None:
        if span > 0:
            self._ends[limit] = since + span

    def input_received(self, at: float) -> None:
        """Start the idle span again."""
        if Limit.IDLE in self._ends:
            self._ends[Limit.IDLE] = at + self._limits.idle_s
            self._warned -= {Limit.IDLE}

    def paused(self, at: float) -> None:
        """While paused nobody can type: the pause has its own maximum in place of idling."""
        self._ends.pop(Limit.IDLE, None)
        self._set(Limit.PAUSE, self._limits.pause_s, at)

    def resumed(self, at: float) -> None:
        """Idle time starts again at the resume."""
        self._ends.pop(Limit.PAUSE, None)
        self._warned -= {Limit.PAUSE, Limit.IDLE}
        self._set(Limit.IDLE, self._limits.idle_s, at)

    def unsupervised(self, at: float) -> None:
        """Nobody who may supervise the session watches it."""
        self._set(Limit.UNSUPERVISED, self._limits.unsupervised_s, at)

    def supervised(self) -> None:
        """Somebody watches again."""
        self._ends.pop(Limit.UNSUPERVISED, None)
        self._warned -= {Limit.UNSUPERVISED}

    def draining(self, at: float, left_s: float) -> str:
        """End in `left_s` seconds at the latest; return the sentence that says so now."""
        self._spans[Limit.DRAIN] = left_s
        self._ends[Limit.DRAIN] = at + left_s
        return _WARNINGS[Limit.DRAIN].format(left=_spoken(left_s))

    def next(self) -> float | None:
        """When something is due next."""
        return min((self._when(limit) for limit in self._ends), default=None)

    def due(self, at: float) -> Iterator[Due]:
        """Yield what has come by `at`; warnings once each, an end last."""
        late = [limit for limit, end in self._ends.items() if end <= at]
        if late:
            span = _spoken(self._spans[late[0]])
            yield Due(_ENDINGS[late[0]].format(span=span), ends=True, limit=late[0])
            return
        for limit, end in self._ends.items():
            if limit not in self._warned and self._when(limit) <= at:
                self._warned |= {limit}
                said = _WARNINGS[limit].format(left=_spoken(end - at))
                yield Due(said, ends=False, limit=limit)

    def _when(self, limit: Limit) -> float:
        end = self._ends[limit]
        if limit in self._warned:
            return end
        # A limit shorter than two warnings' lead warns at its half.
        return end - min(self._limits.warn_s, self._spans[limit] / 2)


def _spoken(seconds: float) -> str:
    whole = max(round(seconds), 0)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole / 3600:.3g} h"
