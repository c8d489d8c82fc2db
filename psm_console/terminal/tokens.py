"""Bytes cut into text and control sequences, however they arrive.

The grammar is that of ECMA-48 5 and of DEC's parser (vt100.net/emu/dec_ansi_parser) on decoded
UTF-8: controls inside a sequence are executed, CAN, SUB and ESC end it, strings end at ST, BEL
(OSC), CAN or SUB. C1 controls count as what they are (U+0080-U+009F), as in xterm. Bytes that are
not UTF-8 become U+FFFD.

Law of this file: what a stream is cut into never changes what it means, and nothing that stays
between two chunks is longer than its limit.
"""

from __future__ import annotations

import codecs
import re
from enum import IntEnum

CSI_LIMIT = 1024
"""Characters of a control sequence; a longer one is swallowed without effect."""
STRING_LIMIT = 1024
"""Characters kept of an operating system command; the rest of it is swallowed."""

_INSIDE = "\x00-\x17\x19\x1c-\x1f\x7f"
"""Controls that may stand inside a sequence without ending it."""
_ESCAPE = f"\x1b[{_INSIDE}]{{0,8}}"
_CSI = f"(?:{_ESCAPE}\\[|\x9b)[{_INSIDE} -?]*"
_OSC = f"(?:{_ESCAPE}\\]|\x9d)[^\x07\x18\x1a\x1b\x9c]*"
_STRING = f"(?:{_ESCAPE}[PX^_]|[\x90\x98\x9e\x9f])[^\x18\x1a\x1b\x9c]*"
_ESCAPED = f"\x1b[{_INSIDE} -/]{{0,8}}"

_pairs = re.compile(
    "([^\x00-\x1f\x7f-\x9f]*+)("
    "\x1b\\[[0-9;]*+(?:m(?:\x1b\\[[0-9;]*+m)*+|[@-~])"
    "|\x1b\\[[0-?]*+[ -/]*+[@-~]"
    "|\r\n|\n+|\r+|\x08+|\t+|[\x0e\x0f]+|[\x00\x07\x7f]+"
    "|(?:\x1bc)+"
    f"|{_CSI}[@-~\x18\x1a]?"
    f"|{_OSC}[\x07\x18\x1a\x9c]?"
    f"|{_STRING}[\x18\x1a\x9c]?"
    f"|{_ESCAPED}[0-~\x18\x1a]?"
    "|[\x00-\x1f\x7f-\x9f]"
    "|\\Z)"
).findall
"""Text and the control behind it, the last ones empty; every control is one match.

Several SGR in a row are one match too, because most programs send them so.
"""

Pair = tuple[str, str]
"""Text, which may be empty, and the control behind it."""

_unfinished_csi = re.compile(_CSI).fullmatch
_unfinished_osc = re.compile(f"(?:{_ESCAPE}\\]|\x9d)([^\x07\x18\x1a\x1b\x9c]*)").fullmatch
_unfinished_string = re.compile(_STRING).fullmatch
_unfinished_escape = re.compile(_ESCAPED).fullmatch
_csi_rest = re.compile(f"[{_INSIDE} -?]*([@-~\x18\x1a]?)").match
_osc_end = re.compile("[\x07\x18\x1a\x1b\x9c]").search
_string_end = re.compile("[\x18\x1a\x1b\x9c]").search


_NOTHING = "\x07"
"""The token for the end of what had no effect: something stood there."""


class Inside(IntEnum):
    """What the stream is inside of between two chunks, when that is not kept as text."""

    NOTHING = 0
    LONG_CSI = 1
    OSC = 2
    STRING = 3


class Tokens:
    """The state between chunks: an undecoded character, an unfinished sequence, a string."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""
        self._inside = Inside.NOTHING
        self._collected = ""

    @property
    def between(self) -> bool:
        """Whether no sequence is unfinished; a character may be."""
        return self._inside is Inside.NOTHING and not self._unfinished

    @property
    def idle(self) -> bool:
        """Whether nothing is kept: the next byte starts afresh."""
        return self.between and not self._decoder.getstate()[0]

    @property
    def state(self) -> tuple[bytes, str, int, str]:
        """What is kept, to be given to `restore`."""
        pending = self._decoder.getstate()[0]
        return pending, self._unfinished, int(self._inside), self._collected

    @property
    def unread(self) -> bytes:
        """Bytes after which a fresh parser keeps the same."""
        begun = {
            Inside.NOTHING: self._unfinished,
            Inside.LONG_CSI: "\x1b[" + "0" * CSI_LIMIT,
            Inside.OSC: "\x1b]" + self._collected,
            Inside.STRING: "\x1bX",
        }[self._inside]
        return begun.encode("utf-8", "replace") + self._decoder.getstate()[0]

    def restore(self, pending: bytes, unfinished: str, inside: int, collected: str) -> None:
        """Go on from a state. Raises ValueError when it can not be one."""
        if len(pending) > 3 or len(unfinished) > CSI_LIMIT or len(collected) > STRING_LIMIT:
            raise ValueError("the parser's state is longer than a parser keeps")
        self._inside = Inside(inside)
        self._decoder.reset()
        self._decoder.decode(pending)
        self._unfinished, self._collected = unfinished, collected

    def decode(self, data: bytes) -> str:
        """The characters that are complete now."""
        return self._decoder.decode(data)

    def split(self, text: str) -> tuple[list[Pair], str]:
        """Pairs of text and control, and the text behind the last control."""
        if not self._inside:
            return self._split(text)
        before, text = self._leave(text)
        pairs, tail = self._split(text)
        return before + pairs, tail

    def _split(self, text: str) -> tuple[list[Pair], str]:
        if self._unfinished:
            text = self._unfinished + text
            self._unfinished = ""
        pairs = _pairs(text)
        pairs.pop()
        if not pairs:
            return pairs, ""
        tail, control = pairs[-1]
        if not control:
            pairs.pop()
            return pairs, tail
        if control >= "\x1b" and self._keep_unfinished(control):
            pairs.pop()
            return pairs, tail
        return pairs, ""

    def _keep_unfinished(self, token: str) -> bool:
        """Whether the token at the end of a chunk is unfinished; if so it is kept."""
        if found := _unfinished_osc(token):
            self._inside, self._collected = Inside.OSC, found[1][:STRING_LIMIT]
        elif _unfinished_string(token):
            self._inside = Inside.STRING
        elif _unfinished_csi(token):
            if len(token) >= CSI_LIMIT:
                self._inside = Inside.LONG_CSI
            else:
                self._unfinished = token
        elif _unfinished_escape(token):
            self._unfinished = token
        else:
            return False
        return True

    def _leave(self, text: str) -> tuple[list[Pair], str]:
        """What ends that which the stream is inside of, and the text behind it."""
        if self._inside is Inside.LONG_CSI:
            rest = _csi_rest(text)
            end = rest.end() if rest else 0
            if end == len(text) and not (rest and rest[1]):
                return [], ""
            self._inside = Inside.NOTHING
            return [("", _NOTHING)], text[end:]
        is_command = self._inside is Inside.OSC
        found = (_osc_end if is_command else _string_end)(text)
        end = found.start() if found else len(text)
        if is_command:
            self._collected += text[: min(end, STRING_LIMIT - len(self._collected))]
        if not found:
            return [], ""
        self._inside = Inside.NOTHING
        command, self._collected = f"\x1b]{self._collected}\x07", ""
        terminator = found[0]
        token = command if is_command and terminator not in "\x18\x1a" else _NOTHING
        return [("", token)], text[end if terminator == "\x1b" else end + 1 :]
