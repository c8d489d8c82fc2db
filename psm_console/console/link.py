"""Links to a session or an instant of its recording: `psm://session/ID@T`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_LINK = re.compile(r"psm://session/(?P<id>[A-Za-z0-9._-]{1,64})(?:@(?P<at>[0-9.:]{1,16}))?")


@dataclass(frozen=True, slots=True)
class Link:
    """A session, and seconds since its start when an instant is meant."""

    session: str
    at: float | None = None

    @classmethod
    def parse(cls, text: str) -> Link | None:
        """Return the link that `text` spells, `@` in seconds or `h:mm:ss`; None when it is none."""
        match = _LINK.fullmatch(text.strip())
        if match is None:
            return None
        at = match["at"]
        if at is None:
            return cls(match["id"])
        seconds = _seconds(at)
        return None if seconds is None else cls(match["id"], seconds)

    def __str__(self) -> str:
        return f"psm://session/{self.session}" + ("" if self.at is None else f"@{self.at:g}")


def _seconds(text: str) -> float | None:
    total = 0.0
    for piece in text.split(":"):
        try:
            value = float(piece)
        except ValueError:
            return None
        total = total * 60 + value
    return total if math.isfinite(total) else None
