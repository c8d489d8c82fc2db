"""A pause: who ordered it, and whether somebody is there who holds it.

Whoever pauses from a console holds the pause by a lease that the console renews. When it dies the
lease runs out: the session stays paused, and others are told that nobody watches over it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .attention import Attention
from .effects import Acknowledge, Audit, Effect, Mark, SaveState
from .events import Directed
from .session import Held, Outcome, Session, SessionState

LEASE_S = 3.5
"""How long a lease holds without being renewed. With a look each second, others know in 5 s."""
UNWATCHED = "unwatched pause"
"""What somebody should look at: a pause that nobody holds."""
ENDING_SOON = "the pause ends the session soon"


@dataclass(slots=True)
class Pause:
    """A pause that is on; times are seconds since the session began."""

    attention: Attention
    owner: str
    hold: str
    """Names the lease; empty when nobody ever held it."""
    held_until: float | None = None
    """When the lease runs out; None when nobody holds the pause."""

    def begun(self, at: float) -> list[Effect]:
        """Start the lease, or have it known that there is none."""
        if not self.hold:
            return self.attention.draw(UNWATCHED)
        self.held_until = at + LEASE_S
        return []

    def renewed(self, at: float, hold: str) -> list[Effect]:
        """Take what the holder says each second; one who was thought dead holds it again."""
        if hold != self.hold or not hold:
            return []
        again = self.held_until is None
        self.held_until = at + LEASE_S
        if not again:
            return []
        return [*self.attention.calm(UNWATCHED), Audit("pause.hold", self.owner, "held again")]

    def released(self, hold: str) -> list[Effect]:
        """Take the holder's word that nobody watches any more."""
        if hold != self.hold or self.held_until is None:
            return []
        return self._left("the console was left")

    def tick(self, at: float) -> list[Effect]:
        """Note a lease that has run out. The pause stays."""
        if self.held_until is None or at < self.held_until:
            return []
        return self._left("the console that held it is gone")

    def _left(self, why: str) -> list[Effect]:
        self.held_until = None
        return [*self.attention.draw(UNWATCHED), Audit("pause.lapse", self.owner, why)]

    def refusal(self, hold: str) -> str | None:
        """Return why a second pause does not take over this one; None when it does."""
        paused = f"the session is paused already, by {self.owner}"
        if self.held_until is not None:
            return f"{paused}, who holds the pause"
        return None if hold else f"{paused}, and nobody holds it: hold the pause, or resume"

    def taken_over(self, order: Directed) -> list[Effect]:
        """Let somebody else hold it from now on; its maximum runs on."""
        before, self.owner, self.hold = self.owner, order.by, order.hold
        self.held_until = order.at + LEASE_S
        said = f"taken over from {before}"
        return [
            Mark(order.at, f"pause held by {order.by}: {said}"),
            SaveState(SessionState.PAUSED, order.by),
            *self.attention.calm(UNWATCHED),
            Audit("pause.hold", order.by, said),
            Acknowledge(
                order.directive, Outcome.DONE, f"{said}; the pause ends when it would have"
            ),
        ]

    def over(self) -> list[Effect]:
        """Take back what others were told of it."""
        return self.attention.calm(UNWATCHED, ENDING_SOON)


def unwatched(session: Session) -> bool:
    """Whether `session` is paused and nobody holds the pause."""
    marked = UNWATCHED in (session.attention or "").split("; ")
    return marked and session.state is SessionState.PAUSED


def resumed(order: Directed) -> str:
    """Say what became of everything that waited for the end of a pause."""
    done = "input passes, withheld output delivered"
    if not order.held:
        return done
    waited = ", ".join(waiting(one) for one in order.held)
    return f"{done}; {'closed' if order.close_held else 'passed on'}: {waited}"


def waiting(held: Held) -> str:
    """Say what waits on a channel."""
    return f"channel {held.channel} with {held.size} bytes that waited"


def closed_held(by: str) -> str:
    """Say to a client why its channel ends with a resume."""
    return f"closed by {by} after the pause; the input that waited was not passed on"
