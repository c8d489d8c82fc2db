"""Makes keyframes while it reads a cast: in one pass for a whole one, in turns for a live one.

When a keyframe is due depends on the work of the screen and on sizes, never on the clock, so that
the same cast gives the same index.
"""

from __future__ import annotations

from psm_console.terminal import KeyframeError, Screen

from .cast import CastFile, Step, StepReader
from .decoding import End
from .events import Event
from .facts import Facts
from .keyframes import (
    Index,
    Keyframe,
    beginning,
    facts_record,
    fits,
    keyframe_record,
    window_of,
)
from .projector import PIECE, Projector
from .reader import Position

COST = 26_000
"""Cost (`Projector.cost` and events) of what stands between two keyframes: 4 to 5 ms."""
EVENT_COST = 30
"""What reading one event costs, in the same measure."""
SHARE = 0.055
"""Keyframes take at most this share of the cast's bytes."""
FACTS_EVERY = 8 << 20
"""Bytes of the cast between two records of facts."""
READ = 64 << 10


class Indexer:
    """Reads on from the end of an index, and appends to it."""

    def __init__(self, cast: CastFile, index: Index | None = None) -> None:
        """Raises KeyframeError when the newest keyframe of `index` can not be used."""
        self._cast = cast
        self.index = index if index is not None else Index()
        self._fresh = [beginning(cast)] if index is None else []
        frames = self.index.keyframes
        if frames:
            start = frames[-1].position
            if not fits(frames[-1], cast):
                raise KeyframeError("The index does not fit the recording; make it again.")
            screen = Screen.restore(frames[-1].snapshot, history=0)
        else:
            start = Position()
            screen = Screen(cast.header.size.columns, cast.header.size.rows, history=0)
        self._projector = Projector(screen, pty=cast.pty)
        self._skip = start.skip
        self._reader: StepReader = cast.reader(start)
        self.facts = self._facts_before(self._reader.offset)
        self._broken, self._overlong = self.facts.broken, self.facts.overlong
        self._facts_at = self.index.facts_at.offset
        self._spent = sum(len(frame.snapshot) for frame in frames)
        self._guess = len(frames[-1].snapshot) if frames else 2500
        self._events = 0
        self._done = self._cost
        self._finished = False

    def _facts_before(self, offset: int) -> Facts:
        """Return what is known of everything before `offset`, read again where it must be."""
        facts, start = self.index.facts, self.index.facts_at
        if facts is None or start.offset > offset:
            facts, start = Facts(), Position()
        else:
            facts = Facts.unpack(facts.pack()) or Facts()
        if start.offset < offset:
            for step in self._cast.steps(start):
                if step.start >= offset:
                    break
                facts.take(step.event, step.kind)
        return facts

    @property
    def screen(self) -> Screen:
        """The screen as it is after everything that was read."""
        return self._projector.flush()

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to read now."""
        return self._reader.at_end

    @property
    def offset(self) -> int:
        """How far the cast was read, in bytes."""
        return self._reader.offset

    @property
    def at_us(self) -> int:
        """The time up to which it was read."""
        return self._reader.at_us

    @property
    def end(self) -> End | None:
        """How the channel ended, once that was read."""
        return self._reader.end

    def advance(self, max_bytes: int = READ) -> None:
        """Read on for at most `max_bytes`; raises OSError."""
        for step in self._reader.read(max_bytes):
            self._take(step)
        self.facts.broken = self._broken + self._reader.broken
        self.facts.overlong = self._overlong + self._reader.overlong

    def finish(self) -> None:
        """Take a last line without its end, and note what is known: this was all; idempotent."""
        if self._finished:
            return
        self._finished = True
        for step in self._reader.last():
            self._take(step)
        self._note_facts(Position(self._reader.offset, self._reader.at_us))

    def take_records(self) -> bytes:
        """Return what is to be appended to the index's file since the last call."""
        records, self._fresh = b"".join(self._fresh), []
        return records

    def _take(self, step: Step) -> None:
        if step.clean and self._due(step.start):
            place = Position(step.start, step.before_us)
            self._keep(place, step.before_us)
            if step.start - self._facts_at >= FACTS_EVERY:
                self._note_facts(place)
        event = step.event
        self._events += 1
        self.facts.take(event, step.kind)
        if self._skip or len(event.data) > PIECE:
            self._take_long(step)
        else:
            self._projector.show(event)

    def _take_long(self, step: Step) -> None:
        """Show a long event in pieces, with keyframes between them."""
        event = step.event
        if not isinstance(event.data, bytes):
            self._projector.show(event)
            return
        shown, self._skip = self._skip, 0
        while shown < len(event.data):
            if shown and step.clean and self._due(step.start + shown):
                place = Position(step.start, step.before_us, shown)
                self._keep(place, event.at_us)
            piece = event.data[shown : shown + PIECE]
            self._projector.show(Event(event.at_us, event.code, piece, event.beside))
            shown += len(piece)

    def _due(self, offset: int) -> bool:
        """Whether enough work was done for a keyframe, and enough bytes read to afford it."""
        if self._cost - self._done < COST:
            return False
        return self._spent + self._guess <= offset * SHARE

    @property
    def _cost(self) -> int:
        return self._projector.cost + EVENT_COST * self._events

    def _keep(self, position: Position, time_us: int) -> None:
        screen = self._projector.flush()
        window = window_of(self._cast, position.offset)
        frame = Keyframe(position, time_us, window, screen.snapshot())
        self.index.keyframes.append(frame)
        self._fresh.append(keyframe_record(frame))
        self._done = self._cost
        self._guess = len(frame.snapshot)
        self._spent += self._guess + 64

    def _note_facts(self, position: Position) -> None:
        self._fresh.append(facts_record(self.facts, position))
        self._facts_at = position.offset
