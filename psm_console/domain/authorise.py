"""Who may do what in front of every read and write path: default deny, one function.

Local authorisation is a guard-rail: whoever owns the home directory can edit its files.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .inventory import Identity, Role


class Action(StrEnum):
    """Everything that can be done outside a session, `noun.verb` as in the audit log."""

    CONSOLE_OPEN = "console.open"
    SESSION_LIST = "session.list"
    SESSION_SHOW = "session.show"
    SESSION_SHADOW = "session.shadow"
    SESSION_PAUSE = "session.pause"
    SESSION_RESUME = "session.resume"
    SESSION_WARN = "session.warn"
    SESSION_TERMINATE = "session.terminate"
    RECORDING_LIST = "recording.list"
    RECORDING_OPEN = "recording.open"
    RECORDING_VERIFY = "recording.verify"
    RECORDING_EXPORT = "recording.export"
    INVENTORY_READ = "inventory.read"
    INVENTORY_APPLY = "inventory.apply"
    TARGET_REACH = "target.reach"
    """Learn how a plain ssh client reaches targets; an operator, only their own."""
    CA_INIT = "ca.init"
    CA_ROTATE = "ca.rotate"
    AUDIT_READ = "audit.read"
    AUDIT_VERIFY = "audit.verify"


_WATCHES = {
    Action.CONSOLE_OPEN,
    Action.SESSION_LIST,
    Action.SESSION_SHOW,
    Action.SESSION_SHADOW,
    Action.RECORDING_LIST,
    Action.INVENTORY_READ,
    Action.TARGET_REACH,
}
ALLOWED: dict[Role, frozenset[Action]] = {
    Role.OPERATOR: frozenset({Action.TARGET_REACH}),
    Role.ANALYST: frozenset(_WATCHES),
    Role.SUPERVISOR: frozenset(
        _WATCHES
        | {
            Action.SESSION_PAUSE,
            Action.SESSION_RESUME,
            Action.SESSION_WARN,
            Action.SESSION_TERMINATE,
        }
    ),
    Role.REVIEWER: frozenset(
        {
            Action.CONSOLE_OPEN,
            Action.RECORDING_LIST,
            Action.RECORDING_OPEN,
            Action.RECORDING_VERIFY,
            Action.RECORDING_EXPORT,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            Action.CONSOLE_OPEN,
            Action.SESSION_LIST,
            Action.RECORDING_LIST,
            Action.RECORDING_VERIFY,
            Action.INVENTORY_READ,
            Action.TARGET_REACH,
            Action.AUDIT_READ,
            Action.AUDIT_VERIFY,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Action.CONSOLE_OPEN,
            Action.SESSION_LIST,
            Action.RECORDING_LIST,
            Action.INVENTORY_READ,
            Action.INVENTORY_APPLY,
            Action.TARGET_REACH,
            Action.CA_INIT,
            Action.CA_ROTATE,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Permitted:
    """The actor may."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The actor may not; `reason` is a sentence for them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Context:
    """What else a decision hangs on: whose session or recording it is, and read-only mode."""

    session_operator: str | None = None
    read_only: bool = False


_CHANGES = frozenset(
    {
        Action.SESSION_PAUSE,
        Action.SESSION_RESUME,
        Action.SESSION_WARN,
        Action.SESSION_TERMINATE,
        Action.INVENTORY_APPLY,
        Action.CA_INIT,
        Action.CA_ROTATE,
    }
)


def authorise(
    actor: Identity, action: Action, context: Context | None = None
) -> Permitted | Denied:
    """Say whether `actor` may do `action`; what no role lists is denied."""
    context = context or Context()
    if context.read_only and action in _CHANGES:
        return Denied(f"{action} changes something, and this is read-only")
    if not any(action in ALLOWED[role] for role in actor.roles):
        return Denied(f"{actor.name} may not {action}: it needs {_roles_for(action)}")
    if action is Action.SESSION_RESUME and context.session_operator == actor.name:
        # Four eyes: an operator who was paused must not lift the pause.
        return Denied(f"{actor.name} works in this session; somebody else must resume it")
    return Permitted()


def _roles_for(action: Action) -> str:
    return " or ".join(role for role in Role if action in ALLOWED[role]) or "a role nobody has"
