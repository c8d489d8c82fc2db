"""The screen as others read it: lines, runs of one look, the whole text, what is hidden."""

from __future__ import annotations

import unicodedata
from itertools import compress, groupby
from operator import eq, is_not, itemgetter

from psm_console.terminal import private_modes as private
from psm_console.terminal.attributes import Attributes
from psm_console.terminal.interpreter import Interpreter
from psm_console.terminal.rows import COMPLEX, Row

Run = tuple[str, Attributes]
"""Text and how it looks; the text's width is the run's number of columns."""


class Views(Interpreter):
    """A screen that can be read."""

    @property
    def display(self) -> list[str]:
        """The text of each line, blanks at its end included; a wide character stands once."""
        return ["".join(row.text) for row in self._rows]

    def row_text(self, y: int) -> str:
        """The text of a line with all that is attached to its cells, without trailing blanks."""
        return self._rows[y].plain_text()

    def runs_on(self, y: int) -> bool:
        """Whether the line's text goes on in the row below because it was too long."""
        return self._rows[y].wrapped

    def screen_text(self, *, join_wrapped: bool = False) -> str:
        """All lines without trailing blanks, a newline between two and none behind the last text.

        With `join_wrapped` a line that ran on in the next row is one line again.
        """
        pieces = []
        for row in self._rows:
            joined = join_wrapped and row.wrapped
            pieces.append("".join(row.text) if joined else row.plain_text() + "\n")
        return "".join(pieces).rstrip("\n")

    def row_runs(self, y: int) -> list[Run]:
        """A line as runs of equal looks, left to right, all columns; reverse screen worked in."""
        row = self._rows[y]
        runs = _runs(row)
        if private.REVERSE_SCREEN in self.mode:
            return [(text, look._replace(reverse=not look.reverse)) for text, look in runs]
        return runs

    def take_changes(self) -> list[tuple[int, list[Run]]]:
        """Line numbers and runs of the lines that changed since the last call; clears `dirty`."""
        changed = sorted(y for y in self.dirty if y < self.lines)
        self.dirty.clear()
        return [(y, self.row_runs(y)) for y in changed]

    def hidden_text(self, y: int) -> list[tuple[int, str]]:
        """What a line holds that nobody can see: column, and the invisible characters there.

        Zero-width spaces and joiners, bidirectional controls, tags: all that has no cell of its own
        and is not a mark drawn over one; what waits for a cell stands at the cursor. Text under the
        conceal attribute is in `row_runs`.
        """
        row = self._rows[y]
        found = [(self.cursor.x, self._orphans)] if self._orphans and y == self.cursor.y else []
        if not row.care & COMPLEX:
            return found
        for x, text in enumerate(row.text):
            unseen = "".join(mark for mark in text[1:] if not _is_drawn(mark))
            if unseen:
                found.append((x, unseen))
        return found


def _is_drawn(mark: str) -> bool:
    return unicodedata.category(mark) in ("Mn", "Me", "Mc", "Lo", "Lm")


def _runs(row: Row) -> list[Run]:
    looks = row.looks
    first = looks[0]
    if looks[-1] is first and looks.count(first) == len(looks):
        return [("".join(row.text), first)]
    starts = [0, *compress(range(1, len(looks)), map(is_not, looks, looks[1:]))]
    ends = [*starts[1:], len(looks)]
    if row.care:
        texts = ["".join(row.text[a:b]) for a, b in zip(starts, ends, strict=True)]
    else:
        line = "".join(row.text)
        texts = [line[a:b] for a, b in zip(starts, ends, strict=True)]
    return _merged(texts, [looks[at] for at in starts])


def _merged(texts: list[str], looks: list[Attributes]) -> list[Run]:
    """Runs, with neighbours joined whose looks are equal without being the same object."""
    runs = list(zip(texts, looks, strict=True))
    if not any(map(eq, looks, looks[1:])):
        return runs
    return [
        ("".join(text for text, _ in same), look) for look, same in groupby(runs, itemgetter(1))
    ]
