"""Every act in one table: keys, footer, palette, help, commands and README are made from it."""

from __future__ import annotations

from .act import Act, Scope
from .archive_acts import COMMANDS, LIBRARY, REPLAY
from .live_acts import GLOBAL, LIST, SESSION, SHADOW
from .reach_acts import REACH

__all__ = ["ACTIONS", "Act", "Scope", "act_named", "in_scope"]

ACTIONS: tuple[Act, ...] = (
    *GLOBAL,
    *LIST,
    *SESSION,
    *SHADOW,
    *LIBRARY,
    *REPLAY,
    *COMMANDS,
    *REACH,
)


def in_scope(*scopes: Scope | str) -> tuple[Act, ...]:
    """Return the acts that have keys or a palette entry in any of `scopes`, in table order."""
    wanted = {Scope(scope) for scope in scopes}
    return tuple(act for act in ACTIONS if wanted & set(act.scopes))


def act_named(act_id: str) -> Act:
    """Return the act of that id; KeyError when there is none."""
    for one in ACTIONS:
        if one.id == act_id:
            return one
    raise KeyError(act_id)
