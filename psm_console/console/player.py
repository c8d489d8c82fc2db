"""The thread that makes the picture of a recording at an instant; the newest wish wins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from psm_console.recording.events import Event, RecordingError
from psm_console.recording.projector import Projector
from psm_console.recording.recording import Recording
from psm_console.terminal import Screen

IDLE_S = 2.0
"""Spans without output from which on time counts as idle."""
BINS = 240
FEED_ON_S = 30.0
"""How far ahead it is cheaper to feed on than to seek."""
LOOK_BACK_S = (1.0, 10.0, 100.0, 1e9)
"""How far back the change before is looked for, each in turn."""
_SUPERVISED = ("pause", "resume", "warn", "alert")


@dataclass(frozen=True, slots=True)
class Moment:
    """A marker; `weight` 0 plain, 1 a supervisor's act, 2 an end by force or an alert."""

    at: float
    label: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Reel:
    """What the screen must know of a recording beside its pictures; times in seconds."""

    duration: float
    idle: Sequence[tuple[float, float]]
    markers: Sequence[Moment]
    activity: Sequence[int]
    channels: Sequence[int]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which picture is wanted: the one at `at`, or the next change after (1) or before it (-1)."""

    at: float
    channel: int | None = None
    step: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """The screen at an instant; `wish` is what it answers."""

    at: float
    screen: Screen
    wish: Wish


class Player:
    """Owns a Recording in its thread; whoever reads a picture's screen holds `lock`."""

    def __init__(self, folder: Path) -> None:
        self.lock = threading.Lock()
        self._folder = folder
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self._closed = False
        self._at = 0.0
        self._channel: int | None = None
        self._projector: Projector | None = None
        self._frames: Iterator[tuple[float, Event]] = iter(())
        self._next: tuple[float, Event] | None = None

    def go(self, wish: Wish) -> None:
        """Ask for a picture; an older wish that nobody began is forgotten."""
        with self._changed:
            self._wish = wish
            self._changed.notify()

    def close(self) -> None:
        """Let the thread end."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(
        self,
        loaded: Callable[[Reel | None, str | None], None],
        shown: Callable[[Picture], None],
        progress: Callable[[float], None],
    ) -> None:
        """Open the recording and fulfil wishes until closed; faults are told, never raised."""
        try:
            with Recording.open(self._folder, progress=progress) as recording:
                loaded(_reel(recording), None)
                while (wish := self._take()) is not None:
                    shown(self._picture(recording, wish))
        except RecordingError as error:
            loaded(None, str(error))
        except OSError as error:
            loaded(None, f"the recording can not be read: {error.strerror}")

    def _take(self) -> Wish | None:
        with self._changed:
            while self._wish is None and not self._closed:
                self._changed.wait()
            wish, self._wish = self._wish, None
            return None if self._closed else wish

    def _picture(self, recording: Recording, wish: Wish) -> Picture:
        at, channel = _instant(recording, wish), wish.channel
        ahead = at - self._at
        same = channel == self._channel and self._projector is not None
        if same and 0 <= ahead <= FEED_ON_S:
            self._feed_on(at)
        else:
            self._seek(recording, at, channel)
        self._at, self._channel = at, channel
        assert self._projector is not None
        return Picture(at, self._projector.screen, wish)

    def _seek(self, recording: Recording, at: float, channel: int | None) -> None:
        screen = recording.screen_at(at, channel)
        self._projector = Projector(screen, pty=recording.pty(channel))
        self._frames = recording.frames_from(at, channel)
        self._next = next(self._frames, None)

    def _feed_on(self, at: float) -> None:
        projector = self._projector
        assert projector is not None
        while self._next is not None and self._next[0] <= at:
            with self.lock:
                projector.show(self._next[1])
            self._next = next(self._frames, None)
        with self.lock:
            projector.flush()


def weight(kind: str, label: str, operator: str) -> int:
    """Return 2 for an end that the operator did not choose, 1 for a supervisor's act, else 0.

    Labels begin with the verb and who did it, `pause by sue: …`; kinds name the verb where they
    are written.
    """
    verb = kind or label.partition(" ")[0]
    if verb == "terminate":
        return 2
    if verb == "end":
        return 0 if operator and label.startswith(f"end by {operator}") else 2
    return 1 if verb in _SUPERVISED else 0


def _instant(recording: Recording, wish: Wish) -> float:
    """Return the instant that a wish means; there is no change beyond the first and the last."""
    if wish.step > 0:
        changes = (
            at for at, event in recording.frames_from(wish.at, wish.channel) if _draws(event)
        )
        return next(changes, wish.at)
    if wish.step < 0:
        for back_s in LOOK_BACK_S:
            start = max(wish.at - back_s, 0.0)
            found = _last_before(recording.frames_from(start, wish.channel), wish.at)
            if found is not None:
                return found
        return 0.0
    return wish.at


def _last_before(frames: Iterator[tuple[float, Event]], end: float) -> float | None:
    found = None
    for at, event in frames:
        if at >= end:
            break
        found = at if _draws(event) else found
    return found


def _draws(event: Event) -> bool:
    return event.code in ("o", "e", "r")


def _reel(recording: Recording) -> Reel:
    operator = str(recording.info.get("operator", ""))
    return Reel(
        recording.duration,
        recording.idle_spans(IDLE_S),
        [
            Moment(marker.at, marker.label, weight(marker.kind, marker.label, operator))
            for marker in recording.markers
        ],
        [round(count) for count in recording.activity(BINS)],
        [channel.number for channel in recording.channels],
    )
