"""What the operator's terminal is in the middle of, read from the bytes it was sent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from psm_console.domain.session import Size
from psm_console.terminal import Screen

_TOKEN = re.compile(rb"\x1b(?!\[[0-9A-Zm])(?:\[\?([0-9;]{1,64})([hl])|\[!p|([]PX^_c\\]))")
"""What switches a mode, and what opens or ends a string; colours and cursor moves are most of what
goes by, so they are passed over first."""
_STRING_END = {
    b"]": re.compile(rb"[\x07\x18\x1a\x1b]"),
    b"P": re.compile(rb"[\x18\x1a]"),
}
_OTHER_END = re.compile(rb"[\x18\x1a\x1b]")
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])", re.DOTALL)
_STRING = re.compile(rb"\x1b[P\]X^_]")
_PAINTS = re.compile(rb"\x1b\[0*(?:[2-9]|1[0-9])[0-9]*(?:;[0-9]*)?[Hfd]")
_ALTERNATE = frozenset({b"47", b"1047", b"1049"})
_TAIL = 4096
_CARRY = 72
_LONG = 512
"""Bytes of a string whose beginning the tail may have lost."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cursor stands in the line that it is in, which may run over several rows."""

    above: int = 0
    """Rows of the line above the cursor."""
    below: int = 0
    """Rows under the cursor that hold something: of the line, or of a menu under it."""
    again: bytes = b""
    """The last character, when the next one wraps: written again, it wraps again."""


class TerminalTracker:
    """Says whether text may be put between two bytes of a PTY's output, and how.

    It is fed every chunk, so it keeps a few modes and the last 4 KiB; all that needs more thought
    is found out when there is something to say.
    """

    def __init__(self) -> None:
        self._tail = b""
        self._alternate = False
        self._application_cursor = False
        self._cursor_hidden = False
        self._string: bytes | None = None
        """What opened the string that the stream is in: `]` for OSC, `P` for DCS…"""
        self._seen = 0
        self._long_until = 0
        """How far the stream was inside of a long string: not text, though its end may look so."""

    def observe(self, data: bytes) -> None:
        """Take the bytes that were sent to the terminal."""
        before = self._tail[-_CARRY:]
        self._tail = (self._tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        self._seen += len(data)
        if b"\x1b" in data or b"\x1b" in before:
            # A token may straddle two chunks. Reading one twice is harmless: the last wins.
            self._scan(before + data)
        elif self._string is not None:
            self._string = self._after(self._string, data, 0, len(data))

    def _scan(self, data: bytes) -> None:
        string, at = self._string, 0
        for match in _TOKEN.finditer(data):
            if string is not None and (at == 0 or match.start() - at > _LONG):
                self._after(string, data, at, match.start())
            at = match.end()
            opener = match[3]
            if opener is None or opener == b"c":
                self._switch(match)
                # To some terminals a DCS ends only with its ST; to the others this ended it.
                string = string if string == b"P" else None
            else:
                string = None if opener == b"\\" else opener
        if string is not None:
            string = self._after(string, data, at, len(data))
        self._string = string

    def _after(self, opener: bytes, data: bytes, at: int, end: int) -> bytes | None:
        """Return what is open at `end` when a string was at `at`; note where a long one ended."""
        found = _STRING_END.get(opener, _OTHER_END).search(data, at, end)
        ended = end if found is None else found.end()
        if at == 0 or ended - at > _LONG:
            self._long_until = self._seen - len(data) + ended
        return opener if found is None else None

    def _switch(self, match: re.Match[bytes]) -> None:
        if match[1] is None:
            self._alternate = self._alternate and match[3] is None
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
    def alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return self._alternate

    @property
    def full_screen(self) -> bool:
        """Whether a program owns the whole screen and would not scroll for us.

        `top` uses no alternate screen, so the cursor keys' mode and a hidden cursor count too. One
        of them alone does not: a shell's line editor asks for application keys, a progress bar
        hides the cursor. Then it matters whether rows are painted by their number.
        """
        if self._alternate or (self._application_cursor and self._cursor_hidden):
            return True
        return self.special and _PAINTS.search(self._tail, self._quiet_until()) is not None

    @property
    def special(self) -> bool:
        """Whether a program asked for more than a plain screen: it may repaint what we move."""
        return self._alternate or self._application_cursor or self._cursor_hidden

    def _quiet_until(self) -> int:
        """Where in the tail a program last gave its modes back; what follows is another's."""
        return max(self._tail.rfind(b"\x1b[?1l"), self._tail.rfind(b"\x1b[?25h"), 0)

    @property
    def at_line_start(self) -> bool:
        """Whether the last byte ended a line."""
        return not self._tail or self._tail[-1:] in (b"\n", b"\r")

    @property
    def between_sequences(self) -> bool:
        """Whether the stream is outside of an escape sequence and of a UTF-8 character."""
        return self._string is None and not self._in_sequence() and not self._character()

    @property
    def unfinished(self) -> bytes:
        """What the stream is in the middle of, to be written again behind what cut it short.

        Of a string that began too long ago it is the head of one that every terminal ignores: its
        rest would be drawn as text otherwise.
        """
        if self._string is not None:
            start = self._tail.rfind(b"\x1b" + self._string)
            return self._tail[start:] if start >= 0 else _neutral(self._string)
        if self._in_sequence():
            return self._tail[self._tail.rfind(b"\x1b") :]
        return self._tail[-back:] if (back := self._character()) else b""

    def place(self, size: Size) -> Place:
        """Return where the cursor stands in its line, as the last 4 KiB draw it."""
        screen = Screen(size.columns, size.rows, history=0)
        text_from = self._long_until - (self._seen - len(self._tail))
        screen.feed(self._tail[max(text_from, 0) :])
        y, above, below = screen.cursor.y, 0, 0
        while above < y and screen.runs_on(y - above - 1):
            above += 1
        for row in range(y + 1, screen.lines):
            if screen.row_text(row) or screen.runs_on(row - 1):
                below = row - y
        return Place(above, below, _last_character(screen))

    def _in_sequence(self) -> bool:
        last = self._tail.rfind(b"\x1b")
        if last < 0 or len(self._tail) - last > 64:
            return False
        tail = self._tail[last:]
        if b"\x18" in tail or b"\x1a" in tail:
            return False
        return _SEQUENCE.match(tail) is None and _STRING.match(tail) is None

    def _character(self) -> int:
        """Return how many bytes of an unfinished UTF-8 character came last."""
        for back in range(1, min(3, len(self._tail)) + 1):
            byte = self._tail[-back]
            if byte < 0x80:
                return 0
            if byte > 0xF4:
                return 0
            if byte >= 0xC0:
                length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                return back if back < length else 0
        return 0


def _neutral(opener: bytes) -> bytes:
    # BEL ends only an OSC: its rest must be read as one.
    return b"\x1b]9999;" if opener == b"]" else b"\x1b_"


def _last_character(screen: Screen) -> bytes:
    if screen.cursor.x < screen.columns:
        return b""
    last = screen.buffer[screen.cursor.y][screen.columns - 1].data
    if last:
        return last.encode()
    return b"\b" + screen.buffer[screen.cursor.y][screen.columns - 2].data.encode()
