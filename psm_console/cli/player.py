"""`psm recording play` and `screen`: recordings drawn through the emulator, never as bytes."""

from __future__ import annotations

import bisect
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from psm_console.domain.text import visible

from .keyboard import INTERRUPT, Keyboard, keyboard
from .output import is_terminal
from .painter import Painter

if TYPE_CHECKING:
    from psm_console.recording.recording import Recording

    from .evidence import Opened

_FRAME_S = 0.04
_STEP_S = 5.0
_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_REST_S = 0.5
"""What is left of a rest that is skipped."""


@dataclass(frozen=True, slots=True)
class Playing:
    """How to play: from `at` on, `speed` times as fast, rests over `idle_s` shortened."""

    at: float = 0.0
    speed: float = 1.0
    idle_s: float | None = None
    channel: int | None = None


def print_screen(opened: Opened, at: float, channel: int | None) -> None:
    """Print the screen at an instant as text; invisible characters are spelled out."""
    from psm_console.recording.recording import Recording

    if at != at or at < 0:
        raise click.BadParameter("expected seconds since the session began, 0 or more")
    with Recording.open(opened.path) as recording:
        for line in recording.text_at(at, channel):
            click.echo(visible(line))


def play(opened: Opened, playing: Playing) -> int:
    """Play until the end or a key that leaves; return the exit status."""
    from psm_console.recording.recording import Recording

    if not is_terminal():
        raise click.ClickException(
            "play draws on a terminal; `psm recording screen ID --at SECONDS` prints one screen"
        )
    with Recording.open(opened.path) as recording:
        recording.pty(playing.channel)
        player = _Player(recording, opened.title, playing)
        with keyboard() as keys:
            player.run(keys)
    return 0


class _Player:
    """The instant shown, and the clock that moves it."""

    def __init__(self, recording: Recording, title: str, playing: Playing) -> None:
        self._recording = recording
        self._title = title
        self._channel = playing.channel
        self._at = min(max(playing.at, 0.0), recording.duration)
        self._speed = playing.speed
        self._playing = True
        self._skip = playing.idle_s
        self._rests = [] if self._skip is None else recording.idle_spans(self._skip, self._channel)
        self._marks = [marker.at for marker in recording.markers]
        self._painter = Painter(sys.stdout.fileno(), colours="NO_COLOR" not in os.environ)

    def run(self, keys: Keyboard) -> None:
        """Play until somebody leaves; at the end the last screen stays until a key."""
        from psm_console.recording.projector import Projector

        while True:
            screen = self._recording.screen_at(self._at, self._channel)
            projector = Projector(screen, pty=self._recording.pty(self._channel))
            frames = self._recording.frames_from(self._at, self._channel)
            waiting = next(frames, None)
            moved = False
            last = time.monotonic()
            while not moved:
                self._painter.paint(projector.flush(), self._status())
                for key in keys.wait(_FRAME_S if self._playing else 0.5):
                    if key in {"q", "escape", INTERRUPT}:
                        return
                    moved = self._press(key) or moved
                now = time.monotonic()
                if self._playing and not moved:
                    moved = self._advance((now - last) * self._speed)
                last = now
                while not moved and waiting is not None and waiting[0] <= self._at:
                    projector.show(waiting[1])
                    waiting = next(frames, None)

    def _advance(self, seconds: float) -> bool:
        """Let time pass; True when it jumped over a rest."""
        self._at += seconds
        if self._at >= self._recording.duration:
            self._at, self._playing = self._recording.duration, False
        for start, end in self._rests:
            if start + _REST_S < self._at < end - _REST_S:
                self._at = end - _REST_S
                return True
        return False

    def _press(self, key: str) -> bool:
        """Do what a key asks for; True when the instant shown is another one now."""
        before = self._at
        match key:
            case "space":
                if self._at >= self._recording.duration:
                    self._at = 0.0
                self._playing = not self._playing
            case "left" | "h":
                self._at = max(self._at - _STEP_S, 0.0)
            case "right" | "l":
                self._at = min(self._at + _STEP_S, self._recording.duration)
            case "home" | "g":
                self._at = 0.0
            case "end" | "G":
                self._at = self._recording.duration
            case "[":
                place = bisect.bisect_left(self._marks, self._at - 0.5)
                self._at = self._marks[place - 1] if place else 0.0
            case "]":
                place = bisect.bisect_right(self._marks, self._at)
                self._at = self._marks[place] if place < len(self._marks) else self._at
            case "<" | ">":
                self._change_speed(1 if key == ">" else -1)
            case _ if key.isascii() and key.isdigit():
                self._at = self._recording.duration * int(key) / 10
        return self._at != before

    def _change_speed(self, step: int) -> None:
        nearest = min(_SPEEDS, key=lambda speed: abs(speed - self._speed))
        place = _SPEEDS.index(nearest) + step
        self._speed = _SPEEDS[min(max(place, 0), len(_SPEEDS) - 1)]

    def _status(self) -> str:
        state = "▶" if self._playing else "■"
        where = f"{_clock(self._at)} / {_clock(self._recording.duration)}"
        return f" {state} {where}  {self._speed:g}×  {self._title}  space ← → < > [ ] q"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
