"""A session that works only while somebody who may stop it watches it.

Each window in which such a person shadows it is a watch, that says each second that it is open.
When the last is closed or says so no longer, the session is paused; it never resumes by itself.
"""

from __future__ import annotations

from .attention import Attention
from .authorise import Action, Permitted, authorise
from .effects import Audit, Effect
from .inventory import Identity
from .pause import ENDING_SOON
from .session import LIVE_STATES, Session
from .timers import Timers

LEASE_S = 2.6
"""How long a watch holds without being renewed. With four looks a second, input stops in 3 s."""
UNSUPERVISED = "waits for a supervisor who watches"
"""What somebody should look at, and why the operator's session is paused."""
REFUSAL = "no supervisor watches this session; shadow it, then resume"


def may_supervise(identity: Identity, operator: str) -> bool:
    """Whether `identity`, by watching, lets a session of `operator` work: never their own."""
    wanted = (Action.SESSION_SHADOW, Action.SESSION_PAUSE, Action.SESSION_TERMINATE)
    allowed = all(isinstance(authorise(identity, action), Permitted) for action in wanted)
    return allowed and identity.name != operator


def unsupervised(session: Session) -> bool:
    """Whether `session` needs a supervisor who watches it, and has none."""
    marked = UNSUPERVISED in (session.attention or "").split("; ")
    return marked and session.state in LIVE_STATES


class Supervision:
    """The watches over one session; times are seconds since it began."""

    def __init__(self, attention: Attention, timers: Timers) -> None:
        self._attention = attention
        self._timers = timers
        self._until: dict[str, float] = {}
        self._missed = False

    @property
    def watched(self) -> bool:
        """Whether somebody watches."""
        return bool(self._until)

    def next(self) -> float | None:
        """When the next watch runs out."""
        return min(self._until.values(), default=None)

    def renewed(self, at: float, watch: str, by: str) -> list[Effect]:
        """Take that `watch` of `by` is open; what is paused stays so until somebody resumes."""
        self._until[watch] = at + LEASE_S
        if not self._missed:
            return []
        self._missed = False
        self._timers.supervised()
        calm = self._attention.calm(UNSUPERVISED, ENDING_SOON)
        return [*calm, Audit("supervision.begin", by, "watches a session that waited for it")]

    def missed(self, at: float, actor: str, released: str = "") -> list[Effect]:
        """Return what is to be known once nobody watches any more; nothing when it is known.

        A watch ends when it runs out, or is `released` because its window was closed.
        """
        self._until.pop(released, None)
        self._until = {watch: until for watch, until in self._until.items() if at < until}
        if self.watched or self._missed:
            return []
        self._missed = True
        self._timers.unsupervised(at)
        lapse = Audit("supervision.lapse", actor, UNSUPERVISED)
        return [*self._attention.draw(UNSUPERVISED), lapse]

    def over(self) -> list[Effect]:
        """Take back what others were told: the session ends."""
        self._missed = False
        return self._attention.calm(UNSUPERVISED)
