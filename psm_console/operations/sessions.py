"""Live sessions: listed, watched, and ordered about."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.domain.names import DirectiveId, SessionId
from psm_console.domain.pause import unwatched
from psm_console.domain.session import LIVE_STATES, Directive, Session, SessionState, Verb
from psm_console.domain.text import visible
from psm_console.store import Store

from .errors import Failed, Unreachable, Usage, told
from .permission import may, require

LONGEST_WORDS = 500
"""Characters of a reason or a warning: what fits on a screen and is read."""
_ACTION = {
    Verb.PAUSE: Action.SESSION_PAUSE,
    Verb.RESUME: Action.SESSION_RESUME,
    Verb.WARN: Action.SESSION_WARN,
    Verb.TERMINATE: Action.SESSION_TERMINATE,
}


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody watches a session; it counts as watched while this is kept."""

    token: str
    session: Session
    actor: Identity
    folder: Path
    """Where the live recording is."""
    purpose: str = "shadow"


@told
def list_sessions(
    store: Store,
    actor: Identity,
    now: datetime,
    *,
    live_only: bool = True,
    operator: str | None = None,
    target: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    text: str | None = None,
    limit: int | None = None,
) -> list[Session]:
    """Return sessions oldest first; the filters are those of `store.sessions.list`."""
    require(store, actor, Action.SESSION_LIST, now)
    return store.sessions.list(live_only, operator, target, since, until, text, limit)


@told
def show_session(store: Store, actor: Identity, session_id: str, now: datetime) -> Session:
    """Return the session of this id or unique prefix."""
    require(store, actor, Action.SESSION_SHOW, now)
    return store.sessions.get(session_id)


@told
def list_directives(
    store: Store, actor: Identity, session_id: str, now: datetime
) -> list[Directive]:
    """Return the orders given about a session, oldest first."""
    require(store, actor, Action.SESSION_SHOW, now)
    return store.directives.for_session(store.sessions.resolve(session_id))


@told
def start_watching(
    store: Store, actor: Identity, session_id: str, now: datetime, *, purpose: str = "shadow"
) -> Watch:
    """Note in the audit log that `actor` looks, then say where the live recording is.

    `purpose` is `shadow`, or `preview` for the small pane beside the list, by which nobody
    supervises. Nothing of the
    session may be shown before this has returned. What is over is no session to watch but a
    recording to open, and needs that right: an analyst could look back with this otherwise.
    """
    session = store.sessions.get(session_id)
    live = session.state in LIVE_STATES
    action = Action.SESSION_SHADOW if live else Action.RECORDING_OPEN
    known = require(store, actor, action, now, session=session)
    token = secrets.token_hex(8)
    with store.transaction():
        store.watchers.enter(session.id, known.name, token, now, purpose)
        _note(store, known, "session.shadow", session.id, now, {"purpose": purpose, "watch": token})
    return Watch(token, session, known, store.home.recording(session.id), purpose)


@told
def keep_watching(store: Store, watch: Watch, now: datetime) -> bool:
    """Say every 2 s that the window is open; False when the watcher may no longer look."""
    if not may(store, watch.actor, Action.SESSION_SHADOW):
        store.watchers.leave(watch.token)
        return False
    if not store.watchers.refresh(watch.token, now):
        # The machine slept: others saw nobody watching, now they see somebody again.
        name, token = watch.actor.name, watch.token
        store.watchers.enter(watch.session.id, name, token, now, watch.purpose)
    return True


@told
def stop_watching(store: Store, watch: Watch, now: datetime) -> None:
    """Note that the window is closed; harmless when that is known."""
    with store.transaction():
        if store.watchers.leave(watch.token):
            detail = {"watch": watch.token}
            _note(store, watch.actor, "session.unshadow", watch.session.id, now, detail)


@told
def pause(
    store: Store,
    actor: Identity,
    session_id: str,
    reason: str,
    now: datetime,
    *,
    hold: str = "",
    read_only: bool = False,
) -> Directive:
    """Order a pause. `hold` names the lease of whoever will keep it (operations.holding).

    Without one the pause is marked as unwatched at once. With one, a pause that nobody holds any
    more is taken over.
    """
    return _order(store, actor, Verb.PAUSE, session_id, reason, now, read_only, hold=hold)


@told
def resume(
    store: Store,
    actor: Identity,
    session_id: str,
    reason: str,
    now: datetime,
    *,
    close_held: bool = False,
    read_only: bool = False,
) -> Directive:
    """Order the end of a pause; nobody may for a session of their own.

    `close_held` closes the channels whose input waits (`Session.held`) instead of passing it on.
    """
    return _order(
        store, actor, Verb.RESUME, session_id, reason, now, read_only, close_held=close_held
    )


@told
def warn(
    store: Store,
    actor: Identity,
    session_id: str,
    text: str,
    now: datetime,
    *,
    reason: str = "",
    read_only: bool = False,
) -> Directive:
    """Order a warning: `text` appears in the operator's terminal."""
    if not text.strip():
        raise Usage("a warning needs words; say what the operator should read")
    text = words(text, "warning")
    return _order(store, actor, Verb.WARN, session_id, reason, now, read_only, text=text)


@told
def terminate(
    store: Store,
    actor: Identity,
    session_id: str,
    reason: str,
    now: datetime,
    *,
    read_only: bool = False,
) -> Directive:
    """Order the end of a session; the operator reads `reason`."""
    require_reason(reason)
    return _order(store, actor, Verb.TERMINATE, session_id, reason, now, read_only)


def require_reason(reason: str) -> None:
    """Raise Usage when there is no reason for the operator to read."""
    if not reason.strip():
        raise Usage("terminating needs a reason, which the operator reads: --reason TEXT")


def add_directive(
    store: Store,
    actor: Identity,
    verb: Verb,
    session: SessionId,
    reason: str,
    text: str,
    now: datetime,
    *,
    hold: str = "",
    close_held: bool = False,
) -> Directive:
    """Write an order and its audit entry, in the caller's transaction or one of its own."""
    directive = Directive(
        id=DirectiveId(f"d-{secrets.token_hex(6)}"),
        session=session,
        verb=verb,
        actor=actor.name,
        requested_at=now,
        reason=reason,
        text=text,
        hold=hold,
        close_held=close_held,
    )
    detail = {"directive": directive.id, "reason": reason}
    if text:
        detail["text"] = text
    if close_held:
        detail["held"] = "close"
    with store.transaction():
        store.directives.add(directive)
        if hold:
            store.holds.renew(hold, session, actor.name)
        _note(store, actor, f"session.{verb}", session, now, detail)
    return directive


def _order(
    store: Store,
    actor: Identity,
    verb: Verb,
    session_id: str,
    reason: str,
    now: datetime,
    read_only: bool,
    *,
    text: str = "",
    hold: str = "",
    close_held: bool = False,
) -> Directive:
    session = store.sessions.get(session_id)
    known = require(store, actor, _ACTION[verb], now, session=session, read_only=read_only)
    reason = words(reason, "reason")
    with store.transaction():
        # Read again under the lock, so that two supervisors do not both pause.
        _check_state(store.sessions.get(session.id), verb, hold)
        return add_directive(
            store, known, verb, session.id, reason, text, now, hold=hold, close_held=close_held
        )


def words(text: str, noun: str) -> str:
    """Return what a person typed as one visible line, or raise Usage when it is too long."""
    line = visible(" ".join(text.split()))
    if len(line) > LONGEST_WORDS:
        raise Usage(f"the {noun} has {len(line)} characters; {LONGEST_WORDS} fit")
    return line


def _check_state(session: Session, verb: Verb, hold: str) -> None:
    """Refuse an order that nobody can carry out."""
    match session.state, verb:
        case SessionState.ENDED, _:
            raise Failed(f"session {session.id} has ended; there is nothing to {verb}")
        case SessionState.LOST, _:
            raise Unreachable(
                f"session {session.id} is lost: its broker is gone and can not {verb} it"
            )
        case SessionState.ENDING, Verb.PAUSE | Verb.RESUME | Verb.WARN:
            raise Failed(f"session {session.id} is ending already")
        case SessionState.PAUSED, Verb.PAUSE:
            if not unwatched(session):
                raise Failed(f"session {session.id} is paused already, by {session.paused_by}")
            if not hold:
                raise Failed(
                    f"session {session.id} is paused already, by {session.paused_by}, and nobody "
                    "holds the pause: take it over with `psm session pause --hold`, or resume"
                )
        case ((SessionState.ACTIVE | SessionState.CONNECTING), Verb.RESUME):
            raise Failed(f"session {session.id} is not paused")


def _note(
    store: Store,
    actor: Identity,
    action: str,
    session: SessionId,
    now: datetime,
    detail: dict[str, str],
) -> None:
    store.audit.append(
        now, action, actor.name, on_behalf_of=actor.owner, session=session, detail=detail
    )
