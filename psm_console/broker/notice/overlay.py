"""A notice as bytes for the operator's terminal, the program's own line and cursor left as they
were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from psm_console.domain.session import Size
from psm_console.terminal.widths import width

from .tracker import Place

_SIGN = " [psm] "
_INDENT = " " * len(_SIGN)
_CUT = "…"
_LOOK, _PLAIN = b"\x1b[0;7m", b"\x1b[0m"
# ASCII where a program may be drawing lines with letters; restoring the cursor takes it back.
_SAVE, _RESTORE = b"\x1b7\x0f\x1b(B", b"\x1b8"
# The program that set them is about to die without cleaning up: end any sequence, mouse reports,
# bracketed paste, application keys, insert mode, a hidden cursor, other letters, the margins (which
# alone would send the cursor home) and the colours.
_RESET = (
    b"\x18\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[4l\x1b[?25h"
    b"\x0f\x1b(B\x1b7\x1b[r\x1b8\x1b[0m"
)


class Leaving(Enum):
    """What the operator's terminal shows when their session is ended, and how to get below it."""

    SCROLLED = b""
    PAINTED = b"\x1b[999;1H"
    """A program painted the main screen."""
    ALTERNATE = b"\x1b[?1049l"
    """What was on the screen before the program comes back, and the cursor with it."""


def framed(text: str, size: Size) -> list[str]:
    """Return `text`, without control characters, as rows that fit: at most a third of the screen.

    What does not fit ends in an ellipsis.
    """
    room = size.columns - 1
    indent = _INDENT if room > 3 * len(_INDENT) else " "
    most = max(size.rows // 3, 1)
    rows: list[str] = []
    for piece in _pieces(f"{_SIGN.strip()} {text}", room - 1, room - len(indent)):
        rows.append((indent if rows else " ") + piece)
        if len(rows) > most:
            rows = [*rows[: most - 1], _fitted(rows[most - 1], room - 1) + _CUT]
            break
    return [row + " " * min(size.columns - cells(row), 1) for row in rows]


def bar(rows: Sequence[str], size: Size) -> bytes:
    """Return rows drawn over the first ones of a full-screen program, the cursor unmoved."""
    drawn = [
        b"\x1b[%d;1H%s%s" % (y, _LOOK, (row + " " * (size.columns - cells(row))).encode())
        for y, row in enumerate(rows, 1)
    ]
    return _SAVE + b"\x1b[?6l" + b"".join(drawn) + _PLAIN + _RESTORE


def uncovered(drawn: bytes) -> bytes:
    """Return rows of the program drawn where a bar was, the cursor unmoved."""
    return _SAVE + b"\x1b[?6l" + drawn + _RESTORE


def inserted(rows: Sequence[str], place: Place) -> bytes:
    """Return rows put in above the line that the cursor is in, on a normal screen.

    Whatever writes that line, a shell's editor or a progress bar, finds it and the cursor as it
    left them, one or more rows lower: so half a command stays where it was typed.
    """
    count = len(rows)
    # Rows for it: at the bottom the screen scrolls, and the cursor goes back to its line.
    room = _move(b"B", place.below) + b"\x1bD" * count + _move(b"A", place.below + count)
    top = _move(b"A", place.above) + b"\r" + _PLAIN + b"\x1b[%dL" % count
    drawn = b"\r\n".join(_LOOK + row.encode() + _PLAIN for row in rows)
    return room + _SAVE + top + drawn + _RESTORE + _move(b"B", count) + place.again


def appended(text: str, *, at_line_start: bool) -> bytes:
    """Return `text` as a line of its own for a terminal that knows no control sequences."""
    return (b"" if at_line_start else b"\r\n") + f"{_SIGN.strip()} {text}\r\n".encode()


def last(text: str, leaving: Leaving) -> bytes:
    """Return the terminal given back as it was lent, and `text` on a line of its own."""
    return _RESET + leaving.value + f"\r\n{_SIGN.strip()} {text}\r\n".encode()


def cells(text: str) -> int:
    """Return how many columns `text` takes."""
    return len(text) if text.isascii() else sum(map(width, text))


def _move(direction: bytes, count: int) -> bytes:
    return b"\x1b[%d%s" % (count, direction) if count else b""


def _pieces(text: str, first: int, others: int) -> Iterator[str]:
    """Yield `text` in pieces of at most so many columns, cut at spaces where there are any."""
    room = max(first, 2)
    while cells(text) > room:
        head = _fitted(text, room)
        space = head.rfind(" ") if not text[len(head) :].startswith(" ") else len(head)
        cut = space if space > len(head) // 2 else len(head)
        yield text[:cut]
        text = text[cut:].lstrip(" ")
        room = max(others, 2)
    yield text


def _fitted(text: str, columns: int) -> str:
    """Return as much of the start of `text` as `columns` hold, never half a character."""
    taken = 0
    for place, character in enumerate(text):
        taken += width(character)
        if taken > columns:
            return text[: max(place, 1)]
    return text
