"""Why somebody should look at a session: several reasons may hold at once."""

from __future__ import annotations

from .effects import Effect, SaveAttention


class Attention:
    """The reasons that hold, in the order they came."""

    def __init__(self) -> None:
        self._reasons: dict[str, None] = {}

    def draw(self, reason: str) -> list[Effect]:
        """Have all who look told of one more reason."""
        self._reasons[reason] = None
        return [SaveAttention("; ".join(self._reasons))]

    def calm(self, *reasons: str) -> list[Effect]:
        """Take reasons back; the others stay."""
        if not self._reasons.keys() & set(reasons):
            return []
        for reason in reasons:
            self._reasons.pop(reason, None)
        return [SaveAttention("; ".join(self._reasons) or None)]
