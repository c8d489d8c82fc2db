"""Watches all live channels in turns, so that none can keep the others waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from psm_console.domain.names import SessionId
from psm_console.domain.session import Session, SessionState
from psm_console.recording.events import RecordingError
from psm_console.store import Store, StoreError

from .watch import ChannelWatch

log = logging.getLogger(__name__)

TURN_S = 0.02
"""How long one channel is worked for before it is the next one's turn."""
ROUND_S = 0.5
"""How long turns are taken before the store is looked at again."""
LINES_S = 0.5
"""How often last lines are written at most."""
SESSIONS_S = 0.5
"""How often the store is asked for sessions at most."""

ATTEMPTS = 20
"""How often a cast is tried before it is left alone."""

_Key = tuple[SessionId, int]


class Inspector:
    """Everything but waiting: `round` does what is to be done and says whether there is more."""

    def __init__(self, store: Store, stopping: Callable[[], bool]) -> None:
        """`stopping` is asked between turns."""
        self._store = store
        self._stopping = stopping
        self._watches: dict[_Key, ChannelWatch] = {}
        self._done: set[_Key] = set()
        """Channels that need no watch any more, or can not have one."""
        self._failures: dict[_Key, int] = {}
        self._live: set[SessionId] = set()
        self._lines: dict[SessionId, str] = {}
        self._looked_at = self._wrote_at = float("-inf")

    def round(self) -> bool:
        """Look for sessions, index, write last lines; True when there is more to read at once."""
        started = time.monotonic()
        if started - self._looked_at >= SESSIONS_S:
            self._looked_at = started
            self._look()
        while self._turn() and time.monotonic() - started < ROUND_S and not self._stopping():
            pass
        self._put_away()
        if time.monotonic() - self._wrote_at >= LINES_S:
            self._write_lines()
        return any(watch.behind for watch in self._watches.values())

    def close(self) -> None:
        """Let go of all files."""
        for key in list(self._watches):
            self._drop(key)

    def _look(self) -> None:
        """Find channels that have opened, and sessions that are over."""
        try:
            sessions = self._store.sessions.list()
        except StoreError as error:
            log.warning("the sessions can not be listed: %s", error)
            return
        self._live = {session.id for session in sessions if session.state is not SessionState.LOST}
        for session in sessions:
            if session.id in self._live:
                self._open(session)
        self._done = {key for key in self._done if key[0] in self._live}
        self._lines = {key: line for key, line in self._lines.items() if key in self._live}

    def _open(self, session: Session) -> None:
        folder = self._store.home.recording(session.id)
        for channel in session.channels:
            key = (session.id, channel.number)
            if key not in self._watches and key not in self._done:
                self._watch(key, folder / Path(channel.file).name)

    def _watch(self, key: _Key, path: Path) -> None:
        try:
            self._watches[key] = ChannelWatch(path)
        except (RecordingError, OSError) as error:
            # Its header may still have to come, or the inspector before us to let go of it.
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] >= ATTEMPTS:
                self._give_up(key, error)

    def _turn(self) -> bool:
        """Give every channel that has something to read its time; False when none had."""
        busy = False
        for key, watch in list(self._watches.items()):
            if self._stopping():
                return False
            try:
                if watch.behind:
                    busy = True
                    watch.work(TURN_S)
            except OSError as error:
                self._drop(key)
                self._give_up(key, error)
        return busy

    def _put_away(self) -> None:
        """Close the indexes of channels and sessions that are over and read to their end."""
        for key, watch in list(self._watches.items()):
            if not watch.behind and (watch.ended or key[0] not in self._live):
                if key[0] in self._live:
                    self._note_line(key[0], watch)
                self._drop(key)
                self._done.add(key)

    def _drop(self, key: _Key) -> None:
        try:
            self._watches.pop(key).finish()
        except OSError as error:
            log.warning("the index of %s channel %d is not complete: %s", *key, error)

    def _give_up(self, key: _Key, error: Exception) -> None:
        log.warning("session %s channel %d is not inspected: %s", *key, error)
        self._failures.pop(key, None)
        self._done.add(key)

    def _write_lines(self) -> None:
        """Store the last lines that have changed, all in one transaction."""
        changed: dict[SessionId, str] = {}
        newest: dict[SessionId, ChannelWatch] = {}
        for (session, _), watch in self._watches.items():
            if session not in newest or watch.active_at > newest[session].active_at:
                newest[session] = watch
        for session, watch in newest.items():
            if watch.active_at > self._wrote_at:
                line = watch.last_line()
                if line != self._lines.get(session, ""):
                    changed[session] = line
        self._wrote_at = time.monotonic()
        self._save(changed)

    def _note_line(self, session: SessionId, watch: ChannelWatch) -> None:
        """Store the last line of a channel that closes while its session goes on."""
        if watch.active_at > self._wrote_at:
            self._save({session: watch.last_line()})

    def _save(self, lines: dict[SessionId, str]) -> None:
        if not lines:
            return
        try:
            with self._store.transaction():
                for session, line in lines.items():
                    self._store.sessions.set_last_line(session, line)
        except StoreError as error:
            log.warning("last lines were not stored: %s", error)
            return
        self._lines.update(lines)
