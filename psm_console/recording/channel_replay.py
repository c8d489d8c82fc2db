"""One channel's cast, with every instant of it within reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from psm_console.terminal import KeyframeError, Screen

from . import keyframes
from .cast import CastFile
from .decoding import End
from .events import Event, Header
from .facts import Facts
from .indexer import Indexer
from .keyframes import Index
from .projector import Projector
from .reader import Position

WORTH_KEEPING = 256 << 10
"""A cast of fewer bytes is read again sooner than an index of it is worth a file."""

Progress = Callable[[float], None]


class ChannelReplay:
    """Screens of a cast at any time; raises RecordingError when the file is no asciicast."""

    def __init__(
        self, path: Path, *, progress: Progress | None = None, trust_index: bool = True
    ) -> None:
        """Read the index beside `path`, or make it; `progress` is told shares from 0 to 1.

        An exception out of `progress` ends the making. `trust_index` False looks at no index that
        somebody else may have made.
        """
        self._cast = CastFile(path)
        try:
            self._begin(progress, trust_index)
        except BaseException:
            self._cast.close()
            raise

    def _begin(self, progress: Progress | None, trust_index: bool) -> None:
        self._status = self._cast.status()
        loaded = keyframes.load(self._cast) if trust_index else None
        self._indexer: Indexer | None = None
        self._end = self._cast.find_end()
        if loaded is not None and loaded[0].complete is not None and loaded[0].facts is not None:
            self._index, self._facts = loaded[0], loaded[0].facts
            return
        self._make(None if loaded is None else loaded[0])
        self.refresh(progress)
        if loaded is None and trust_index and self._cast.size >= WORTH_KEEPING:
            self._keep()

    def _make(self, index: Index | None) -> None:
        try:
            indexer = Indexer(self._cast, index)
        except KeyframeError:
            indexer = Indexer(self._cast)
        self._indexer, self._index, self._facts = indexer, indexer.index, indexer.facts

    def _keep(self) -> None:
        """Leave the index beside the cast; a live one has an inspector that does."""
        if self._indexer is not None:
            records = self._indexer.take_records()
            if self._whole:
                records += keyframes.complete_record(self._cast)
            keyframes.store(self._cast, records, replace=self._whole)

    @property
    def _whole(self) -> bool:
        """Whether nothing will be added: it has its end, or nobody of ours writes it."""
        return self._end is not None or self.header.psm is None

    def refresh(self, progress: Progress | None = None) -> None:
        """Take in what was appended to a live recording; raises OSError."""
        indexer = self._indexer
        if indexer is None:
            return
        self._status = self._cast.status()
        while not indexer.at_end:
            indexer.advance()
            if progress is not None:
                progress(min(indexer.offset / max(self._cast.size, 1), 1.0))
        self._end = indexer.end
        if self._whole:
            indexer.finish()

    @property
    def path(self) -> Path:
        """Where the cast lies."""
        return self._cast.path

    @property
    def header(self) -> Header:
        """What the cast's first line says."""
        return self._cast.header

    @property
    def pty(self) -> bool:
        """Whether the channel had a terminal."""
        return self._cast.pty

    @property
    def size(self) -> int:
        """Bytes in the cast now."""
        return self._cast.size

    @property
    def facts(self) -> Facts:
        """Markers, activity and gaps of the whole cast."""
        return self._facts

    @property
    def end(self) -> End | None:
        """How the channel ended; None while it lives, or when it was lost."""
        return self._end

    @property
    def duration_us(self) -> int:
        """The time of the end, or of the newest event."""
        end_us = 0 if self._end is None else round(min(max(self._end.at, 0.0), 1e9) * 1_000_000)
        return max(self.facts.latest_us, end_us)

    def screen_at(self, time_us: int) -> Screen:
        """Return the screen after everything up to and including `time_us`; no scrollback."""
        screen, position = self._nearest(time_us)
        projector = Projector(screen, pty=self._cast.pty)
        skip = position.skip
        for step in self._cast.steps(position):
            event = step.event
            if event.at_us > time_us:
                break
            if skip and isinstance(event.data, bytes):
                event, skip = Event(event.at_us, event.code, event.data[skip:], event.beside), 0
            projector.show(event)
        return projector.flush()

    def events_after(self, time_us: int) -> Iterator[Event]:
        """Yield the events later than `time_us`, in order."""
        number = self._index.before(time_us)
        position = Position() if number < 0 else self._index.keyframes[number].position
        for step in self._cast.steps(position):
            if step.event.at_us > time_us:
                yield step.event

    def _nearest(self, time_us: int) -> tuple[Screen, Position]:
        """Return the newest keyframe that shows nothing later, or an empty screen."""
        if self._whole and self._cast.status() != self._status:
            self._make_again()
        number = self._index.before(time_us)
        if number >= 0:
            frame = self._index.keyframes[number]
            try:
                if keyframes.fits(frame, self._cast):
                    return Screen.restore(frame.snapshot, history=0), frame.position
            except KeyframeError:
                pass
            self._make_again()
            return self._nearest(time_us)
        size = self._cast.header.size
        return Screen(size.columns, size.rows, history=0), Position()

    def _make_again(self) -> None:
        """Somebody changed the cast or forged the index: all of it counts for nothing."""
        self._make(None)
        self.refresh()

    def rest(self) -> None:
        """Keep nothing open and no screen until this channel is asked for something."""
        if self._whole:
            self._indexer = None
        self._cast.rest()

    def close(self) -> None:
        """Let go of the files; idempotent."""
        self._cast.close()
