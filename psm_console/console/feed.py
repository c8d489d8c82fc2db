"""The thread that turns a growing recording into a screen, and says how far it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psm_console.recording.events import RecordingError
from psm_console.recording.live import Follower
from psm_console.store import Bell, Home
from psm_console.terminal import Screen

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
    inexact: bool = False
    """Whether parts of the output were too costly to draw, so that the operator may see others."""

    @property
    def standing(self) -> tuple[bool, str | None, str | None, bool]:
        """What of it is worth telling again only when it changed."""
        return self.behind, self.fault, self.ended, self.inexact


class LiveFeed:
    """Feeds one channel's screen; whoever reads `screen` holds `lock`."""

    def __init__(self, home: Home, session_id: str, file: Path) -> None:
        self.lock = threading.Lock()
        self._home = home
        self._session = session_id
        self._file = file
        self._follower: Follower | None = None
        self._told = 0.0

    @property
    def screen(self) -> Screen | None:
        """The screen as far as it is fed; another one after a jump to a keyframe."""
        return None if self._follower is None else self._follower.screen

    def run(self, report: Callable[[News], None], cancelled: Callable[[], bool]) -> None:
        """Attach and follow until cancelled; what goes wrong is reported, never raised."""
        try:
            with contextlib.ExitStack() as stack:
                bell = self._bell(stack)
                follower = stack.enter_context(Follower(self._file, lock=self.lock))
                self._follower = follower
                self._follow(follower, bell, report, cancelled)
        except RecordingError as error:
            report(News(0.0, fault=str(error)))
        except OSError as error:
            report(News(0.0, fault=f"the recording can not be read: {error.strerror}"))

    def _bell(self, stack: contextlib.ExitStack) -> Bell | None:
        """Bind a bell before the first read, so that nothing is missed; a copy has none."""
        with contextlib.suppress(OSError):
            return stack.enter_context(Bell(self._home, self._session))
        return None

    def _follow(
        self,
        follower: Follower,
        bell: Bell | None,
        report: Callable[[News], None],
        cancelled: Callable[[], bool],
    ) -> None:
        first = True
        while not cancelled():
            if bell is not None:
                bell.drain()
            if follower.advance() or first:
                first = False
                self._tell(follower, report)
            elif bell is not None:
                bell.wait(WAIT_S)
            else:
                time.sleep(WAIT_S)

    def _tell(self, follower: Follower, report: Callable[[News], None]) -> None:
        """Report; while far behind only now and then, as nobody can read a flood."""
        behind = follower.behind
        now = time.monotonic()
        if behind and now - self._told < TOLD_S:
            return
        self._told = now
        ended = follower.end.reason if follower.end is not None else None
        screen = follower.screen
        inexact = screen is not None and screen.overruns > 0
        report(News(follower.as_of, behind, None, ended, inexact))
