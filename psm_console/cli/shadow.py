"""`psm session shadow`: a live session's screen on this terminal, drawn through the emulator."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psm_console.domain.session import LIVE_STATES, Channel, Session
from psm_console.domain.text import visible
from psm_console.store import Bell, Home, Store

from .context import Invocation, now
from .keyboard import INTERRUPT, keyboard
from .output import is_terminal, say
from .painter import Painter

if TYPE_CHECKING:
    from psm_console.operations import Watch
    from psm_console.recording.live import Follower

_FRAME_S = 0.04
_REFRESH_S = 1.0
"""How often it is asked anew whether one may look, and told that one does."""
_ENDED_S = 0.5
"""How often a session is asked for once the channel that is shown has ended."""
_LEAVE = {"q", "escape", INTERRUPT}


def watch(invocation: Invocation, session_id: str, channel: int | None) -> int:
    """Watch until a key, the session's end or the loss of the right to look."""
    from psm_console.operations import show_session, start_watching, stop_watching
    from psm_console.recording.live import Follower

    with invocation.store() as (store, actor):
        session = show_session(store, actor, session_id, now())
        if session.state not in LIVE_STATES:
            raise click.ClickException(
                f"session {session.id} is {session.state}: see `psm recording play {session.id}`"
            )
        seen = start_watching(store, actor, session.id, now())
        try:
            file = _file_of(seen.session, seen.folder, channel)
            with Follower(file) as live:
                if not is_terminal():
                    _print(live)
                    return 0
                words = _follow(store, seen, live)
        finally:
            with contextlib.suppress(Exception):
                stop_watching(store, seen, now())
    say(words)
    return 0


def _file_of(session: Session, folder: Path, channel: int | None) -> Path:
    """Return the cast of the wanted channel: by number, else the newest open PTY, else any."""
    if channel is not None:
        for one in session.channels:
            if one.number == channel:
                return folder / one.file
        raise click.BadParameter(f"session {session.id} has no channel {channel}")

    def rank(one: Channel) -> tuple[bool, bool, int]:
        return (one.pty, one.closed_at is None, one.number)

    if not session.channels:
        raise click.ClickException(f"session {session.id} has opened no channel yet; try again")
    return folder / max(session.channels, key=rank).file


def _print(live: Follower) -> None:
    live.catch_up()
    if (screen := live.screen) is not None:
        for line in screen.screen_text().split("\n"):
            click.echo(visible(line))


def _follow(store: Store, seen: Watch, live: Follower) -> str:
    """Draw until it is over; return the sentence that says why."""
    painter = Painter(sys.stdout.fileno(), colours="NO_COLOR" not in os.environ)
    title = f"{seen.session.id}  {seen.session.operator} → {seen.session.account}"
    with keyboard() as keys, _bell(store.home, seen.session.id) as bell:
        refreshed = drawn = 0.0
        stale = True
        while True:
            if bell is not None:
                bell.drain()
            busy = live.advance()
            if time.monotonic() - refreshed > (_REFRESH_S if live.end is None else _ENDED_S):
                refreshed = time.monotonic()
                if why := _over(store, seen):
                    return why
            stale = stale or busy or painter.resized
            if stale and time.monotonic() - drawn > _FRAME_S and (screen := live.screen):
                painter.paint(screen, _status(title, live))
                drawn, stale = time.monotonic(), False
            also = [] if bell is None else [bell.fileno()]
            pressed = keys.wait(0 if busy else _FRAME_S if stale else 0.25, also)
            if _LEAVE & set(pressed):
                return "You have left; the session goes on." if live.end is None else _end(live)


def _status(title: str, live: Follower) -> str:
    if live.end is not None:
        return f" ○ ended  {title}  {_end(live)}  q leaves"
    if live.behind:
        return f" ◌ catching up, as of {live.as_of:.0f} s  {title}  q leaves"
    return f" ● live  {title}  q leaves"


def _end(live: Follower) -> str:
    return "" if live.end is None else f"The channel has ended: {live.end.reason}."


def _over(store: Store, seen: Watch) -> str | None:
    """Say why there is nothing more to watch, and stay counted as a watcher until then."""
    from psm_console.operations import keep_watching

    if not keep_watching(store, seen, now()):
        return "You may no longer watch this session."
    session = store.sessions.get(seen.session.id)
    if session.state in LIVE_STATES:
        return None
    why = f": {session.end_reason}" if session.end_reason else ""
    return f"Session {session.id} has {session.state.value}{why}.".replace("has lost", "is lost")


@contextlib.contextmanager
def _bell(home: Home, topic: str) -> Iterator[Bell | None]:
    """Bind a bell for the block; where none can be bound (a read-only copy), None."""
    try:
        bell = Bell(home, topic)
    except OSError:
        yield None
        return
    with bell:
        yield bell
