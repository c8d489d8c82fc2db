"""A recording as a reviewer sees it: any instant, its markers, when something happened."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from psm_console.terminal import Screen

from .channel_replay import ChannelReplay
from .decoding import End
from .events import SESSION_FILE, SESSION_LIMIT, Event, Header, RecordingError
from .facts import Marker
from .source import FileBytes

_CAST = re.compile(r"([1-9][0-9]{0,8})-(?:[a-z]+\.cast|(?:sftp|forward)\.jsonl)")
_SECOND = 1_000_000
MANY = 50
"""Channels from which on their files are not all kept open: an Ansible run has a thousand."""

Progress = Callable[[float], None]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel of a recording; its text (command, kind) is as hostile as any."""

    number: int
    file: str
    kind: str
    pty: bool
    command: str | None
    opened_at: float
    """Seconds since the session's start."""
    duration: float
    """Seconds since the session's start at its end, or at its newest event."""
    size_bytes: int
    output_bytes: int
    exit: str | None
    end: End | None
    """None while it lives, or when it was lost."""
    header: Header


class Recording:
    """A session's folder, or a single cast of anybody's, open for replay.

    Times are seconds since the session's start; those before it count as 0, those after the end as
    the end. `channel` None means the first channel with a terminal, or else the first one.
    """

    def __init__(
        self, path: Path, channels: dict[int, ChannelReplay], info: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.info = info
        """What session.json says; empty without one."""
        self._channels = channels
        self._refused: list[str] = []

    @classmethod
    def open(
        cls, path: Path, *, progress: Progress | None = None, trust_index: bool = True
    ) -> Recording:
        """Open a folder or a .cast; raises RecordingError with a sentence.

        Where an index is missing it is made, which takes about a second for each 5 MB: `progress`
        is told shares from 0 to 1, and an exception out of it ends the making. With `trust_index`
        False no index is read or left behind.
        """
        path = Path(path)
        if not path.is_dir():
            replay = ChannelReplay(path, progress=progress, trust_index=trust_index)
            origin = replay.header.psm
            return cls(path, {1 if origin is None else origin.channel: replay}, {})
        return cls._open_folder(path, progress, trust_index)

    @classmethod
    def _open_folder(cls, path: Path, progress: Progress | None, trust_index: bool) -> Recording:
        casts = _casts(path)
        share = _Share(progress, sum(size for _, _, size in casts))
        channels: dict[int, ChannelReplay] = {}
        notes: list[str] = []
        recording = cls(path, channels, _session_info(path))
        try:
            for number, cast, size in casts:
                try:
                    channels[number] = ChannelReplay(
                        cast, progress=share.of(size), trust_index=trust_index
                    )
                    if len(casts) > MANY:
                        channels[number].rest()
                except RecordingError as error:
                    notes.append(str(error))
        except BaseException:
            recording.close()
            raise
        if not channels:
            raise RecordingError(
                notes[0] if notes else f"{path.name} holds no recording of a channel"
            )
        recording._refused = notes
        return recording

    @property
    def notes(self) -> list[str]:
        """Sentences about what could not be read."""
        found = list(self._refused)
        for replay in self._channels.values():
            found += [f"{replay.path.name}: {note}" for note in replay.facts.notes]
        return found

    @property
    def channels(self) -> tuple[ChannelInfo, ...]:
        """The channels by number."""
        return tuple(_channel_info(number, self._channels[number]) for number in self._channels)

    @property
    def duration(self) -> float:
        """Seconds from the session's start to the last that was recorded."""
        return max(replay.duration_us for replay in self._channels.values()) / _SECOND

    @property
    def markers(self) -> list[Marker]:
        """The markers of all channels by time; one that stands in several counts once."""
        found = {
            (at_us, label, kind)
            for replay in self._channels.values()
            for at_us, label, kind in replay.facts.markers
        }
        return [Marker(at_us / _SECOND, label, kind) for at_us, label, kind in sorted(found)]

    @property
    def main_channel(self) -> int:
        """The number of the channel that is shown when nobody says which."""
        with_terminal = [number for number, replay in self._channels.items() if replay.pty]
        return (with_terminal or list(self._channels))[0]

    def screen_at(self, seconds: float, channel: int | None = None) -> Screen:
        """Return the screen at an instant, without scrollback."""
        return self._channel(channel).screen_at(_us(seconds))

    def text_at(self, seconds: float, channel: int | None = None) -> list[str]:
        """Return the lines of the screen at an instant, without the blanks at their ends."""
        screen = self.screen_at(seconds, channel)
        return [screen.row_text(y) for y in range(screen.lines)]

    def frames_from(
        self, seconds: float, channel: int | None = None
    ) -> Iterator[tuple[float, Event]]:
        """Yield time and event for all that is later than `seconds`, for a `Projector`."""
        for event in self._channel(channel).events_after(_us(seconds)):
            yield event.at_us / _SECOND, event

    def idle_spans(self, min_s: float = 3.0, channel: int | None = None) -> list[Span]:
        """Return from when to when nothing was output or recorded as input for `min_s` (≥ 1 s)."""
        end_us = round(self.duration * _SECOND)
        replay = self._channel(channel)
        last = (replay.facts.active_us, end_us)
        return [
            (start / _SECOND, end / _SECOND)
            for start, end in [*replay.facts.gaps, last]
            if end - start >= max(min_s, 1.0) * _SECOND
        ]

    def activity(self, bins: int, channel: int | None = None) -> list[float]:
        """Return the bytes of output in each of `bins` equal spans of the whole duration."""
        return self._channel(channel).facts.activity(max(bins, 1), round(self.duration * _SECOND))

    def pty(self, channel: int | None = None) -> bool:
        """Whether a channel had a terminal, as a `Projector` wants to know."""
        return self._channel(channel).pty

    def refresh(self) -> None:
        """Take in what was appended to a live recording."""
        for replay in self._channels.values():
            replay.refresh()

    def close(self) -> None:
        """Let go of the files; idempotent."""
        for replay in self._channels.values():
            replay.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _channel(self, number: int | None) -> ChannelReplay:
        wanted = self.main_channel if number is None else number
        if wanted not in self._channels:
            there = ", ".join(map(str, self._channels))
            raise RecordingError(f"there is no channel {wanted}; this recording has {there}")
        return self._channels[wanted]


class _Share:
    """Tells one progress about several casts, by their sizes."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = max(total, 1)
        self._done = 0

    def of(self, size: int) -> Progress | None:
        """Return the progress of the next cast."""
        before, self._done = self._done, self._done + size
        progress = self._progress
        if progress is None:
            return None
        return lambda share: progress((before + share * size) / self._total)


def _casts(folder: Path) -> list[tuple[int, Path, int]]:
    """Return number, path and size of the casts in a folder, by number."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (int(match[1]), Path(entry.path), entry.stat(follow_symlinks=False).st_size)
                for entry in entries
                if (match := _CAST.fullmatch(entry.name))
            ]
    except OSError as error:
        raise RecordingError(f"{folder.name} can not be read: {error.strerror}") from error
    return sorted(found)


def _session_info(folder: Path) -> Mapping[str, Any]:
    try:
        content = FileBytes(folder / SESSION_FILE)
    except RecordingError:
        return {}
    try:
        found = msgspec.json.decode(content.read(SESSION_LIMIT, 0), type=dict[str, Any])
    except (OSError, ValueError, RecursionError):
        return {}
    finally:
        content.close()
    return MappingProxyType(found)


def _channel_info(number: int, replay: ChannelReplay) -> ChannelInfo:
    origin = replay.header.psm
    return ChannelInfo(
        number=number,
        file=replay.path.name,
        kind="cast" if origin is None else origin.kind,
        pty=replay.pty,
        command=replay.header.command,
        opened_at=0.0 if origin is None else origin.at,
        duration=replay.duration_us / _SECOND,
        size_bytes=replay.size,
        output_bytes=replay.facts.output_bytes,
        exit=replay.facts.exit,
        end=replay.end,
        header=replay.header,
    )


def _us(seconds: float) -> int:
    """Return microseconds; what is no time counts as the start."""
    return round(min(seconds, 1e12) * _SECOND) if seconds > 0 else 0
