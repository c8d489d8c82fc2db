"""What a recording's whole length tells: markers, when something happened, how long nothing did.

All of it is bounded, whatever the recording holds: bins get wider, gaps have to get longer.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from .events import BYTE_CODES, Code, Event

BINS = 2048
GAPS = 1024
MARKERS = 4096
KINDS = ("pause", "resume", "warn", "end")
"""What a marker is about whose label begins with the word, unless its line says another."""
LABEL = 500
"""Characters of a marker's label that are kept."""
PACKED_LIMIT = 16 << 20
"""Bytes of packed facts that are looked at: more can only be a bomb."""
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Marker:
    """A named moment; `at` in seconds since the session's start, `label` as it was written."""

    at: float
    label: str
    kind: str = ""
    """One word for what it is about, such as `pause`; empty when nobody said."""


class _Packed(msgspec.Struct, array_like=True):
    bin_us: int
    bins: list[int]
    gap_us: int
    gaps: list[tuple[int, int]]
    markers: list[tuple[int, str, str]]
    active_us: int
    latest_us: int
    output_bytes: int
    exit: str | None
    broken: int
    overlong: int


class Facts:
    """Collects them event by event, in order; times in microseconds."""

    def __init__(self) -> None:
        self.bin_us = SECOND_US
        """Width of a bin."""
        self.bins: list[int] = []
        """Bytes of output in each bin."""
        self.gap_us = SECOND_US
        """The shortest gap that is kept."""
        self.gaps: list[tuple[int, int]] = []
        """From when to when there was neither output nor input."""
        self.markers: list[tuple[int, str, str]] = []
        """Time, label, kind."""
        self.active_us = 0
        """When there was output or input last."""
        self.latest_us = 0
        """The time of the newest event."""
        self.output_bytes = 0
        self.exit: str | None = None
        """What the program's exit status was."""
        self.broken = 0
        """Lines that hold no event."""
        self.overlong = 0
        """Lines over 16 MiB."""

    @property
    def notes(self) -> list[str]:
        """Sentences about what could not be taken in."""
        found = []
        if self.broken:
            found.append(f"{self.broken} lines hold no event and were passed over")
        if self.overlong:
            found.append(f"{self.overlong} lines over 16 MiB were passed over")
        return found

    def take(self, event: Event, kind: str = "") -> None:
        """Note an event; `kind` is what a marker is about."""
        at_us = self.latest_us = max(event.at_us, self.latest_us)
        if event.code in BYTE_CODES:
            if at_us - self.active_us >= self.gap_us:
                self._gap(self.active_us, at_us)
            self.active_us = at_us
            if event.code != Code.INPUT:
                self._output(at_us, event.beside or len(event.data))
        elif event.code == Code.MARKER:
            self._mark(at_us, str(event.data)[:LABEL], kind[:LABEL])
        elif event.code == Code.EXIT:
            self.exit = str(event.data)[:LABEL]

    def _mark(self, at_us: int, label: str, kind: str) -> None:
        if len(self.markers) < MARKERS:
            word = label.partition(" ")[0]
            self.markers.append((at_us, label, kind or (word if word in KINDS else "")))

    def _output(self, at_us: int, count: int) -> None:
        self.output_bytes += count
        number = at_us // self.bin_us
        while number >= BINS:
            self.bins = [sum(self.bins[at : at + 2]) for at in range(0, len(self.bins), 2)]
            self.bin_us *= 2
            number = at_us // self.bin_us
        if number >= len(self.bins):
            self.bins += [0] * (number + 1 - len(self.bins))
        self.bins[number] += count

    def _gap(self, start_us: int, end_us: int) -> None:
        self.gaps.append((start_us, end_us))
        if len(self.gaps) > GAPS:
            self.gap_us *= 2
            self.gaps = [gap for gap in self.gaps if gap[1] - gap[0] >= self.gap_us]

    def activity(self, bins: int, duration_us: int) -> list[float]:
        """Return output bytes in each of `bins` equal spans of `duration_us`."""
        spread = [0.0] * bins
        width = max(duration_us, 1) / bins
        for number, count in enumerate(self.bins):
            if count:
                _spread(spread, number * self.bin_us / width, self.bin_us / width, count)
        return spread

    def pack(self) -> bytes:
        """Return all of it as bytes."""
        fields = {name: getattr(self, name) for name in _Packed.__struct_fields__}
        return zlib.compress(msgspec.msgpack.encode(_Packed(**fields)))

    @classmethod
    def unpack(cls, data: bytes) -> Facts | None:
        """Return the facts in `data`, or None when that is no such thing."""
        try:
            plain = zlib.decompressobj().decompress(data, PACKED_LIMIT)
            packed = msgspec.msgpack.decode(plain, type=_Packed)
        except (zlib.error, msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if len(packed.bins) > BINS or min(packed.bin_us, packed.gap_us) < SECOND_US:
            return None
        if max(len(packed.gaps), len(packed.markers)) > GAPS + MARKERS:
            return None
        facts = cls()
        for name in packed.__struct_fields__:
            value: Any = getattr(packed, name)
            setattr(facts, name, value)
        return facts


def _spread(into: list[float], start: float, width: float, count: int) -> None:
    """Add `count` to the spans that `start` … `start + width` (in spans) covers, by share."""
    end = min(start + width, len(into))
    if start >= end:
        into[-1] += count
        return
    at = int(start)
    while at < end:
        share = min(at + 1, end) - max(at, start)
        into[at] += count * share / (end - start)
        at += 1
