"""The thread that turns a growing recording into a screen: the newest keyframe, the rest, the tail."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psm_console.recording.events import Event, RecordingError
from psm_console.recording.reader import Tail
from psm_console.store import Bell, Home
from psm_console.terminal import Screen

SLICE = 16 << 10
"""Bytes fed while the lock is held: a few milliseconds, so that drawing never waits longer."""
READ = 64 << 10
BEHIND = 256 << 10
"""Bytes not yet fed from which on the picture counts as behind."""
TOLD_S = 0.2
"""How often `catching up` is told again."""
WAIT_S = 0.25
"""How long the thread waits for a bell before it looks by itself."""


@dataclass(frozen=True, slots=True)
class News:
    """How far the picture is; `at` in seconds since the session's start."""

    at: float
    behind: bool = False
    fault: str | None = None
    ended: str | None = None
    """How the channel ended."""

    @property
    def standing(self) -> tuple[bool, str | None, str | None]:
        """What of it is worth telling again only when it changed."""
        return self.behind, self.fault, self.ended


class LiveFeed:
    """Feeds one channel's screen; whoever reads `screen` holds `lock`."""

    def __init__(self, home: Home, session_id: str, file: Path) -> None:
        self.lock = threading.Lock()
        self.screen: Screen | None = None
        self._home = home
        self._session = session_id
        self._file = file
        self._told = 0.0

    def run(self, report: Callable[[News], None], cancelled: Callable[[], bool]) -> None:
        """Attach and follow until cancelled; what goes wrong is reported, never raised."""
        try:
            with contextlib.ExitStack() as stack:
                bell = self._bell(stack)
                tail = stack.enter_context(Tail(self._file))
                self._follow(tail, bell, report, cancelled)
        except RecordingError as error:
            report(News(0.0, fault=str(error)))
        except OSError as error:
            report(News(0.0, fault=f"the recording can not be read: {error.strerror}"))

    def _bell(self, stack: contextlib.ExitStack) -> Bell | None:
        """Bind a bell before the first read, so that nothing is missed; a read-only copy has none."""
        with contextlib.suppress(OSError):
            return stack.enter_context(Bell(self._home, self._session))
        return None

    def _follow(
        self,
        tail: Tail,
        bell: Bell | None,
        report: Callable[[News], None],
        cancelled: Callable[[], bool],
    ) -> None:
        first = True
        while not cancelled():
            if bell is not None:
                bell.drain()
            events = tail.read(READ)
            self._prepare(tail)
            for event in events:
                self._feed(event)
            if events or first:
                first = False
                self._tell(tail, report)
            elif bell is not None:
                bell.wait(WAIT_S)
            else:
                time.sleep(WAIT_S)

    def _prepare(self, tail: Tail) -> None:
        if self.screen is None and tail.header is not None:
            size = tail.header.size
            self.screen = Screen(size.columns, size.rows, history=0)
            if tail.header.psm is not None and not tail.header.psm.pty:
                self.screen.feed(b"\x1b[20h")  # without a terminal nobody turned LF into CR LF

    def _feed(self, event: Event) -> None:
        screen = self.screen
        if screen is None:
            return
        if isinstance(event.data, bytes) and event.code in ("o", "e"):
            for start in range(0, len(event.data), SLICE):
                with self.lock:
                    screen.feed(event.data[start : start + SLICE])
        elif event.code == "r" and isinstance(event.data, str):
            columns, _, rows = event.data.partition("x")
            with self.lock:
                screen.resize(int(rows), int(columns))

    def _tell(self, tail: Tail, report: Callable[[News], None]) -> None:
        """Report; while far behind only now and then, as nobody can read a flood."""
        behind = tail.behind > BEHIND
        now = time.monotonic()
        if behind and now - self._told < TOLD_S:
            return
        self._told = now
        ended = tail.end.reason if tail.end is not None else None
        report(News(tail.at_us / 1e6, behind, None, ended))
