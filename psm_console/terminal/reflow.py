"""Lines wrapped anew for another width, as xterm.js, tmux and most terminals do.

A line that ran on is one line again and is cut at the new width. The line that the cursor is in
stays as it is, because the shell that wrote it writes it anew.
"""

from __future__ import annotations

from collections.abc import Callable

from psm_console.terminal.attributes import PLAIN, Attributes
from psm_console.terminal.rows import COMPLEX, SHARED, Row
from psm_console.terminal.scrollback import PlainLine, row_of

Line = Row | PlainLine


def reflow(
    lines: list[Line], cursor: int, columns: int, afford: Callable[[int], bool]
) -> tuple[list[Line], int]:
    """The lines at the new width and the index of the cursor's among them.

    `afford` is asked with the number of rows before a long line is wrapped; where it says no, the
    line stays as it is.
    """
    flowed: list[Line] = []
    moved, at = cursor, 0
    while at < len(lines):
        end = at + 1
        while end < len(lines) and _runs_on(lines[end - 1]):
            end += 1
        if at <= cursor < end:
            moved = len(flowed) + cursor - at
            flowed += lines[at:end]
        elif (end == at + 1 and _fits(lines[at], columns)) or not afford(2 * (end - at)):
            flowed += lines[at:end]
        else:
            flowed += _wrapped([row_of(line) for line in lines[at:end]], columns)
        at = end
    return flowed, moved


def _runs_on(line: Line) -> bool:
    return line.wrapped if isinstance(line, Row) else line[1]


def _fits(line: Line, columns: int) -> bool:
    """Whether the line's text fits into so many columns."""
    if isinstance(line, Row):
        rest = line.text[columns:]
        return bool(line.care & SHARED) or rest.count(" ") == len(rest)
    return len(line[0]) * (2 if line[2] else 1) <= columns


def _used(text: list[str]) -> int:
    """Cells up to the last one that is not blank."""
    end = len(text)
    while end and text[end - 1] == " ":
        end -= 1
    return end


def _wrapped(rows: list[Row], columns: int) -> list[Line]:
    """One line, which the rows held so far, in rows of another width."""
    text: list[str] = []
    looks: list[Attributes] = []
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        end = _used(row.text) if after is None else len(row.text) - _gap(row, after)
        text += row.text[:end]
        looks += row.looks[:end]
    care = COMPLEX if any(row.care for row in rows) else 0
    flowed: list[Line] = []
    at = 0
    while at < len(text) or not flowed:
        end = at + columns
        if end < len(text) and text[end] == "" and columns > 1:
            end -= 1
        flowed.append(_row(text[at:end], looks[at:end], columns, care, end < len(text)))
        at = end
    return flowed


def _gap(row: Row, after: Row) -> int:
    """1 where the last column stayed empty because a wide character did not fit, else 0."""
    return int(row.text[-1] == " " and len(after.text) > 1 and after.text[1] == "")


def _row(text: list[str], looks: list[Attributes], columns: int, care: int, runs_on: bool) -> Row:
    empty = columns - len(text)
    row = Row(text + [" "] * empty, looks + [PLAIN] * empty, care)
    row.wrapped = runs_on
    return row
