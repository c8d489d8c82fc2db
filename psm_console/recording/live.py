"""Watching a channel while it is written: from the newest keyframe on, however long it has run.

What a watcher sees is what is evidence: the screen is fed from the cast and from nothing else.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from psm_console.terminal import KeyframeError, Screen

from . import keyframes
from .cast import CastFile
from .decoding import End
from .events import RecordingError
from .projector import Projector
from .reader import Position, Tail

READ = 32 << 10
"""Bytes of a cast taken at once: a few milliseconds of work, also for hostile output."""
BEHIND = 256 << 10
"""Bytes not shown yet from which on a picture is called behind."""
NOW = 4 << 20
"""Bytes without a keyframe from which on the present screen is too much work to be made."""
_LOOK_AGAIN_S = 0.5


def attach(path: Path, *, history: int = 0) -> tuple[Screen, Tail]:
    """Return the screen of a live cast as it was when this was called, and what will come.

    Raises RecordingError when `path` is no cast. A cast without its header yet gives an empty
    screen of 80×24, which the header may make wrong: wait for `Tail.header`.
    """
    follower = Follower(path, history=history)
    follower.catch_up()
    return follower.screen or Screen(80, 24, history), follower.tail


def screen_now(path: Path) -> Screen | None:
    """Return the screen at the end of a live cast; None when it takes too much to make it."""
    try:
        with Follower(path) as follower:
            if follower.tail.behind > NOW:
                return None
            follower.catch_up()
            return follower.screen
    except (OSError, RecordingError):
        return None


class Follower:
    """Keeps a screen at the end of a live cast; jumps to the newest keyframe when far behind.

    Whoever reads `screen` from another thread holds `lock`, and asks for `screen` each time: a
    jump puts another one in its place.
    """

    def __init__(
        self,
        path: Path,
        *,
        history: int = 0,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        """Raises RecordingError when `path` can not be read."""
        self._path = path
        self._history = history
        self._lock: AbstractContextManager[object] = nullcontext() if lock is None else lock
        self._projector: Projector | None = None
        self._looked_at = time.monotonic()
        self.tail = Tail(path, beside=False)
        self._jump(Position())

    @property
    def screen(self) -> Screen | None:
        """The screen as of `as_of`; None until the cast has its header."""
        return None if self._projector is None else self._projector.screen

    @property
    def behind(self) -> bool:
        """Whether much was recorded that the screen does not show yet: *catching up, as of t*."""
        return self.tail.behind > BEHIND

    @property
    def as_of(self) -> float:
        """The time of what the screen shows, in seconds since the session's start."""
        return self.tail.at_us / 1_000_000

    @property
    def end(self) -> End | None:
        """How the channel ended, once the screen shows its end."""
        return self.tail.end

    def advance(self, max_bytes: int = READ) -> bool:
        """Show what is new, at most `max_bytes` of the cast; False when there was nothing.

        Raises OSError, and RecordingError when the first line is no header.
        """
        if self.behind and time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._looked_at = time.monotonic()
            self._jump(Position(self.tail.offset))
        before = self.tail.offset
        events = self.tail.read(max_bytes)
        projector = self._shown()
        if projector is None:
            return False
        for event in events:
            with self._lock:
                projector.show(event)
        with self._lock:
            projector.flush()
        return self.tail.offset != before

    def catch_up(self) -> None:
        """Show everything that is recorded now; what is added meanwhile may wait."""
        goal = self.tail.offset + self.tail.behind
        while self.tail.offset < goal and not self.tail.at_end:
            self.advance()

    def close(self) -> None:
        """Let go of the files; idempotent."""
        self.tail.close()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _shown(self) -> Projector | None:
        header = self.tail.header
        if self._projector is None and header is not None:
            screen = Screen(header.size.columns, header.size.rows, self._history)
            pty = header.psm is None or header.psm.pty
            with self._lock:
                self._projector = Projector(screen, pty=pty)
        return self._projector

    def _jump(self, beyond: Position) -> None:
        """Go on from the newest keyframe, if there is one later than `beyond`."""
        try:
            cast = CastFile(self._path)
        except RecordingError:
            return  # its header is not written yet
        try:
            loaded = keyframes.load(cast)
            frame = loaded[0].keyframes[-1] if loaded and loaded[0].keyframes else None
            if frame is None or frame.position.offset <= beyond.offset:
                return
            screen = Screen.restore(frame.snapshot, self._history)
        except (KeyframeError, OSError):
            return
        finally:
            cast.close()
        self.tail.close()
        self.tail = Tail(self._path, frame.position, beside=False)
        with self._lock:
            self._projector = Projector(screen, pty=cast.pty)
