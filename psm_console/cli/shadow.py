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
from psm_console.terminal import Screen

from .context import Invocation, now
from .keyboard import INTERRUPT, keyboard
from .output import is_terminal, say
from .painter import Painter

if TYPE_CHECKING:
    from psm_console.operations import Watch
    from psm_console.recording import Tail
    from psm_console.recording.projector import Projector

_READ = 128 << 10
"""Bytes of the recording taken before the keys are asked again."""
_BEHIND = 256 << 10
_FRAME_S = 0.04
_REFRESH_S = 5.0
_LEAVE = {"q", "escape", INTERRUPT}


class LiveScreen:
    """The screen of one live channel, as far as its recording was read."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._projector: Projector | None = None

    @property
    def screen(self) -> Screen | None:
        """What was read so far, drawn; None before the recording's header is there."""
        return None if self._projector is None else self._projector.flush()

    @property
    def behind(self) -> bool:
        """Whether so much is still unread that the picture is an old one."""
        return self._tail.behind > _BEHIND

    @property
    def at(self) -> float:
        """The instant shown, in seconds since the session began."""
        return self._tail.at_us / 1e6

    @property
    def end(self) -> str | None:
        """How the channel ended; None while it lives."""
        return self._tail.end.reason if self._tail.end is not None else None

    def advance(self) -> bool:
        """Read and draw what is new, a limited amount; False when there was nothing."""
        from psm_console.recording.projector import Projector

        events = self._tail.read(_READ)
        header = self._tail.header
        if self._projector is None and header is not None:
            screen = Screen(header.size.columns, header.size.rows, history=0)
            self._projector = Projector(screen, pty=header.psm is None or header.psm.pty)
        for event in events:
            assert self._projector is not None
            self._projector.show(event)
        return bool(events)


def watch(invocation: Invocation, session_id: str, channel: int | None) -> int:
    """Watch until a key, the session's end or the loss of the right to look."""
    from psm_console.operations import start_watching, stop_watching
    from psm_console.recording import Tail

    with invocation.store() as (store, actor):
        seen = start_watching(store, actor, session_id, now())
        try:
            file = _file_of(seen.session, seen.folder, channel)
            with Tail(file) as tail:
                live = LiveScreen(tail)
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


def _print(live: LiveScreen) -> None:
    while live.advance():
        pass
    if (screen := live.screen) is not None:
        for line in screen.screen_text().split("\n"):
            click.echo(visible(line))


def _follow(store: Store, seen: Watch, live: LiveScreen) -> str:
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
            if time.monotonic() - refreshed > _REFRESH_S:
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
                return "You have left; the session goes on." if live.end is None else live.end
            if live.end is not None and not busy and (why := _over(store, seen)):
                return why


def _status(title: str, live: LiveScreen) -> str:
    if live.end is not None:
        return f" ○ ended  {title}  {live.end}  q leaves"
    if live.behind:
        return f" ◌ catching up, as of {live.at:.0f} s  {title}  q leaves"
    return f" ● live  {title}  q leaves"


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
