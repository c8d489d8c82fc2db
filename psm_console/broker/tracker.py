"""What the operator's terminal is in the middle of, read from the bytes it was sent."""

from __future__ import annotations

import re

_MODES = re.compile(rb"\x1b\[\?([0-9;]{1,64})([hl])|\x1bc|\x1b\[!p")
_STRING = re.compile(rb"\x1b[P\]X^_]")
_STRING_END = re.compile(rb"\x07|\x1b\\|[\x18\x1a]")
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])", re.DOTALL)
_ALTERNATE = frozenset({b"47", b"1047", b"1049"})
_TAIL = 4096
_CARRY = 72


class TerminalTracker:
    """Says whether text may be put between two bytes of a PTY's output, and how.

    Full-screen is the alternate screen, application cursor keys or a hidden cursor: `top` uses no
    alternate screen.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._alternate = False
        self._application_cursor = False
        self._cursor_hidden = False

    def observe(self, data: bytes) -> None:
        """Take the bytes that were sent to the terminal."""
        before = self._tail[-_CARRY:]
        self._tail = (self._tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        if b"\x1b" in data or b"\x1b" in before:
            # A mode switch may straddle two chunks. Reading one twice is harmless: the last wins.
            for match in _MODES.finditer(before + data):
                self._switch(match)

    def _switch(self, match: re.Match[bytes]) -> None:
        if match[1] is None:
            self._alternate = self._alternate and match[0] != b"\x1bc"
            self._application_cursor = self._cursor_hidden = False
            return
        on = match[2] == b"h"
        for mode in match[1].split(b";"):
            if mode in _ALTERNATE:
                self._alternate = on
            elif mode == b"1":
                self._application_cursor = on
            elif mode == b"25":
                self._cursor_hidden = not on

    @property
    def full_screen(self) -> bool:
        """Whether a program owns the whole screen and would not scroll for us."""
        return self._alternate or self._application_cursor or self._cursor_hidden

    @property
    def at_line_start(self) -> bool:
        """Whether the last byte ended a line."""
        return not self._tail or self._tail[-1:] in (b"\n", b"\r")

    @property
    def between_sequences(self) -> bool:
        """Whether the stream is outside of an escape sequence and of a UTF-8 character."""
        return not (self._in_string() or self._in_sequence() or self._in_character())

    def _in_string(self) -> bool:
        start = None
        for start in _STRING.finditer(self._tail):  # noqa: B007 - the last one counts
            pass
        return start is not None and _STRING_END.search(self._tail, start.end()) is None

    def _in_sequence(self) -> bool:
        last = self._tail.rfind(b"\x1b")
        if last < 0 or len(self._tail) - last > 64:
            return False
        tail = self._tail[last:]
        if b"\x18" in tail or b"\x1a" in tail:
            return False
        return _SEQUENCE.match(tail) is None and _STRING.match(tail) is None

    def _in_character(self) -> bool:
        for back in range(1, min(3, len(self._tail)) + 1):
            byte = self._tail[-back]
            if byte < 0x80:
                return False
            if byte > 0xF4:
                return False
            if byte >= 0xC0:
                length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                return back < length
        return False
