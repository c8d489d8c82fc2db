"""Where a replay stands and how it moves: time in, position out; no clock, no screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
LEAD_S = 0.5
"""How much of an idle span is still played before the rest is skipped, and before its end."""
BACK_S = 1.0
"""Within this behind a marker, the marker before it is meant."""


@dataclass(slots=True)
class Playback:
    """A position in seconds of recording time; idle spans are skipped on top of that time base."""

    duration: float = 0.0
    idle: Sequence[tuple[float, float]] = ()
    markers: Sequence[float] = field(default_factory=tuple)
    at: float = 0.0
    speed: float = 1.0
    playing: bool = False
    skipping: bool = True

    def seek(self, at: float) -> None:
        """Go to an instant; what lies outside is clamped."""
        self.at = min(max(at, 0.0), self.duration)

    def advance(self, seconds: float) -> None:
        """Let wall time pass; stops at the end."""
        if not self.playing:
            return
        self.seek(self.at + seconds * self.speed)
        span = self.idle_span()
        if self.skipping and span is not None:
            self.seek(span[1] - LEAD_S)
        if self.at >= self.duration:
            self.playing = False

    def idle_span(self) -> tuple[float, float] | None:
        """Return the idle span that would be skipped from here, or None."""
        for start, end in self.idle:
            if start + LEAD_S <= self.at < end - LEAD_S:
                return start, end
        return None

    def toggle(self) -> None:
        """Play or stop; from the end it plays from the start."""
        if not self.playing and self.at >= self.duration:
            self.at = 0.0
        self.playing = not self.playing

    def change_speed(self, steps: int) -> None:
        """Go to a neighbouring speed."""
        index = min(max(SPEEDS.index(self.speed) + steps, 0), len(SPEEDS) - 1)
        self.speed = SPEEDS[index]

    def jump(self, direction: int) -> bool:
        """Go to the next marker (1) or the one before (-1); False when there is none."""
        if direction > 0:
            later = [at for at in self.markers if at > self.at + 0.001]
            if later:
                self.seek(min(later))
            return bool(later)
        earlier = [at for at in self.markers if at < self.at - BACK_S]
        if earlier:
            self.seek(max(earlier))
        return bool(earlier)
