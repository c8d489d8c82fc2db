"""What all screens of one console share: who sits there, what is known, and as of when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psm_console.domain.inventory import Identity
from psm_console.domain.session import Session

from . import figures
from .desk import Desk
from .top_bar import Standing, Tab


@dataclass(slots=True)
class Workplace:
    """The console's own state, beside the widgets; only the application changes it."""

    desk: Desk
    actor: Identity
    read_only: bool = False
    invitation: str = ""
    """What to type elsewhere to take part in a demo; made visible."""
    sessions: Sequence[Session] = ()
    recordings: int | None = None
    as_of: datetime | None = None
    """When `sessions` was read; None before the first time."""
    broker_since: datetime | None = None
    """When a broker was last known to live."""
    broker: bool = True
    store_fault: str | None = None
    """Why the store can not be read just now."""
    seen: set[str] = field(default_factory=set)

    def session(self, session_id: str) -> Session | None:
        """Return what is known of a live session."""
        return next((each for each in self.sessions if each.id == session_id), None)

    @property
    def stale(self) -> bool:
        """Whether what is shown is only what was."""
        return self.store_fault is not None or not self.broker

    def tabs(self) -> tuple[Tab, ...]:
        """Return the rooms behind the number keys."""
        return (
            Tab("1", "live", "Live", None if self.as_of is None else len(self.sessions)),
            Tab("2", "library", "Library", self.recordings),
        )

    def standing(self) -> Standing:
        """Return what the top line tells at its right."""
        return Standing(
            broker=self.broker,
            who=self.actor.name,
            read_only=self.read_only,
            clock=figures.clock(figures.now()),
            attention=sum(1 for each in self.sessions if each.attention),
            invitation=self.invitation,
        )

    def fault(self) -> str | None:
        """Return the sentence for the banner, or None when all is well."""
        as_of = f"as of {figures.clock(self.as_of)}" if self.as_of else "nothing was read yet"
        if self.store_fault is not None:
            return f"{self.store_fault} — the list is {as_of}; trying again"
        if not self.broker:
            return (
                "No broker is running here: nobody new can connect, and orders reach nobody. "
                f"The list is {as_of}; start the broker with psm serve."
            )
        return None
