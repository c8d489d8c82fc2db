"""What an act of the product is: something that a user can do, with a key or a command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from psm_console.domain.authorise import Action


class Scope(StrEnum):
    """Where a key works."""

    GLOBAL = "global"
    LIST = "list"
    """Any list that can be walked, filtered and sorted."""
    LIVE = "live"
    ORDER = "order"
    """Wherever one live session is chosen: the live list and a shadow."""
    SHADOW = "shadow"
    LIBRARY = "library"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a user can do, with a key, a command, or both."""

    id: str
    """`noun.verb`; users remap keys by it."""
    title: str
    """A word or two for the footer; an ellipsis when something is asked first."""
    description: str
    keys: tuple[str, ...] = ()
    """As Textual names keys; the first is shown."""
    scopes: tuple[Scope, ...] = (Scope.GLOBAL,)
    cli: str | None = None
    """The command that does the same."""
    over_ssh: bool = False
    """Visitors may give that command over ssh: it touches no file that they name."""
    action: Action | None = None
    """What `authorise` is asked; None for what only changes the view."""
    destructive: bool = False
    """It is confirmed first, and off in read-only mode."""
    needs_reason: bool = False
    changes: bool = False
    """It gives an order or writes; off in read-only mode."""
    footer: bool = False
    """Among the few that the footer shows."""
    palette: bool = True
    call: str | None = None
    """The console's method with its arguments, where it is not the id with `_` for `.`."""

    @property
    def method(self) -> str:
        """The console's action, as Textual's bindings name it."""
        return self.call or self.id.replace(".", "_")
