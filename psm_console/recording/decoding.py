"""Turns the lines of an asciicast v2 or v3 into events, exact bytes included; never raises.

A line that is no event is skipped and counted. Where `# psm` lines and an event differ, the `#`
lines are what went by.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import msgspec

from psm_console.domain.session import Size

from . import file_log
from .events import BYTE_CODES, TIME_LIMIT_US, Code, Event

BULK_LIMIT = 16 << 20
"""Bytes taken from a .bin file for one event at most."""
OFFSET_LIMIT = 1 << 62
"""No file is that long; the system can not be asked for what lies behind."""
_LATEST_S = TIME_LIMIT_US / 1_000_000
_SIZE = re.compile(r"(\d{1,9})[xX](\d{1,9})")

_event = msgspec.json.Decoder(tuple[float, str, str]).decode


class Block(msgspec.Struct):
    """What a `# psm bin` or `digest` line says; `at` in seconds."""

    at: float
    code: str
    bytes: int
    offset: int = 0
    sha256: str = ""


class _Kind(msgspec.Struct):
    kind: str


class End(msgspec.Struct, frozen=True):
    """The end of a channel's recording; `at` in seconds since the session's start."""

    at: float
    reason: str
    ledger: dict[str, Any] = {}


decode_block = msgspec.json.Decoder(Block).decode
_kind = msgspec.json.Decoder(_Kind).decode
_end = msgspec.json.Decoder(End).decode


def parse_size(text: str) -> Size | None:
    """Return the size that `COLUMNSxROWS` spells, within 1-1000 × 1-500; None for anything else."""
    match = _SIZE.fullmatch(text)
    return None if match is None else Size.clamped(int(match[1]), int(match[2]))


class LineDecoder:
    """Decodes line after line.

    `bulk(offset, count)` returns bytes of the .bin file beside; without it, events about them are
    empty and say only how many there are.
    """

    def __init__(
        self,
        *,
        absolute: bool = False,
        at_us: int = 0,
        bulk: Callable[[int, int], bytes] | None = None,
    ) -> None:
        """`absolute` is how asciicast v2 counts time; `at_us` is the time of the newest event."""
        self._absolute = absolute
        self._bulk = bulk
        self._raw: bytes | None = None
        self._given = 0
        """Bytes that `part` lines gave already and that stand in the next `o` event again."""
        self.at_us = at_us
        self.broken = 0
        """Lines skipped because they are nothing."""
        self.end: End | None = None
        self.mark_kind = ""
        """What the newest marker is about; empty when its line does not say."""
        self._next_kind = ""

    @property
    def between(self) -> bool:
        """Whether the next line stands on its own: no bytes wait for it."""
        return self._raw is None and not self._given

    @property
    def holds_raw(self) -> bool:
        """Whether the exact bytes of the next event are known already."""
        return self._raw is not None

    def decode(self, line: bytes) -> Event | None:
        """Return the event in `line` (without its end), or None when it holds none."""
        if line.startswith(b"["):
            return self._event_line(line)
        if line.startswith(b"#"):
            return self._comment(line[6:]) if line.startswith(b"# psm ") else None
        if line.startswith(b"{") and (logged := file_log.decode(line)) is not None:
            return self._logged(*logged)
        if line.strip():
            self.broken += 1
        return None

    def _logged(self, at: float, code: str, text: str) -> Event:
        """Return what a line of a log of file operations says, as something to be shown."""
        self.at_us = max(self.at_us, round(min(max(at, 0.0), _LATEST_S) * 1_000_000))
        if code == Code.MARKER:
            self.mark_kind, self._next_kind = self._next_kind, ""
        return Event(self.at_us, code, text.encode() if code in BYTE_CODES else text)

    def _event_line(self, line: bytes) -> Event | None:
        try:
            time_s, code, text = _event(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            repaired = _repaired(line)
            if repaired is None:
                self.broken += 1
                self._raw = None
                return None
            time_s, code, text = repaired
        self._pass(time_s)
        if code not in BYTE_CODES:
            if code == Code.MARKER:
                self.mark_kind, self._next_kind = self._next_kind, ""
            return Event(self.at_us, code, text)
        data = text.encode() if self._raw is None else self._raw
        self._raw = None
        if code == Code.OUTPUT and self._given:
            data, self._given = data[self._given :], 0
        return Event(self.at_us, code, data)

    def _pass(self, time_s: float) -> None:
        """Move the time on; it never goes back, nor past the limit."""
        us = round(min(max(time_s, 0.0), _LATEST_S) * 1_000_000)
        if not self._absolute:
            self.at_us = min(self.at_us + us, TIME_LIMIT_US)
        elif us > self.at_us:
            self.at_us = us

    def _comment(self, rest: bytes) -> Event | None:
        word, _, value = rest.partition(b" ")
        try:
            match word:
                case b"raw":
                    self._raw = base64.b64decode(value, validate=True)
                case b"part":
                    return self._part(base64.b64decode(value, validate=True))
                case b"bin":
                    return self._bin(decode_block(value))
                case b"digest":
                    self._block_time(decode_block(value))
                case b"mark":
                    self._next_kind = _kind(value).kind
                case b"end":
                    self.end = _end(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.broken += 1
        return None

    def _part(self, data: bytes) -> Event | None:
        self._given += len(data)
        return Event(self.at_us, Code.OUTPUT, data)

    def _bin(self, block: Block) -> Event | None:
        self._block_time(block)
        count = min(block.bytes, BULK_LIMIT)
        if block.code not in BYTE_CODES or not 0 <= block.offset < OFFSET_LIMIT or count <= 0:
            self.broken += 1
            return None
        if self._bulk is None:
            return Event(self.at_us, block.code, b"", count)
        data = self._bulk(block.offset, count)
        return Event(self.at_us, block.code, data, count)

    def _block_time(self, block: Block) -> None:
        us = round(min(max(block.at, 0.0), _LATEST_S) * 1_000_000)
        self.at_us = max(self.at_us, us)
        if block.code == Code.OUTPUT:
            self._given = 0


def _repaired(line: bytes) -> tuple[float, str, str] | None:
    """Return the event in a line that is almost one: lone surrogates, or bytes that are no text."""
    try:
        found = json.loads(line.decode("utf-8", "replace"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or len(found) != 3:
        return None
    time_s, code, text = found
    if isinstance(time_s, bool) or not isinstance(time_s, int | float):
        return None
    if not isinstance(code, str) or not isinstance(text, str) or not abs(time_s) < 1e18:
        return None
    return float(time_s), _whole(code), _whole(text)


def _whole(text: str) -> str:
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _refuse(name: str) -> float:
    raise ValueError(name)
