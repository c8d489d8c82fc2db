"""Bytes in, screen changed: the loop that everything else is built to keep short.

Text goes straight into the row when nothing stands in its way. The commonest controls are done
here, the others are calls.
"""

from __future__ import annotations

from psm_console.terminal.flood import FLOOD_LENGTH
from psm_console.terminal.looks import Selection
from psm_console.terminal.rows import SHARED
from psm_console.terminal.tokens import Pair, Tokens
from psm_console.terminal.vocabulary import Position, Repetition, Vocabulary
from psm_console.terminal.widths import is_narrow

CHUNK = 65536
"""Bytes decoded at once."""
EPOCH = 16384
"""Characters after which the credit for expensive operations is refilled."""
CREDIT = 4096
"""What expensive operations may cost in an epoch, about a microsecond each."""


class Interpreter(Vocabulary):
    """A screen that is fed bytes."""

    def __init__(self, columns: int, lines: int, history: int = 1000) -> None:
        super().__init__(columns, lines, history)
        self._tokens = Tokens()
        self._credit = CREDIT
        self._epoch_left = EPOCH

    @property
    def idle(self) -> bool:
        """Whether neither the parser nor the UTF-8 decoder is in the middle of something."""
        return self._tokens.idle

    def feed(self, data: bytes) -> None:
        """Show what a terminal shows after these bytes. Any bytes, cut anywhere; never raises."""
        for at in range(0, len(data), CHUNK):
            self._take_chunk(self._tokens.decode(data[at : at + CHUNK]))

    def _take_chunk(self, text: str) -> None:
        """Show decoded text, cut where the credit is refilled."""
        at = 0
        while len(text) - at >= self._epoch_left:
            end = at + self._epoch_left
            self._take(text[at:end])
            self._credit, self._epoch_left = CREDIT, EPOCH
            at = end
        if at < len(text):
            self._epoch_left -= len(text) - at
            self._take(text[at:])

    def _take(self, text: str) -> None:
        """Show decoded text that belongs to one epoch."""
        self.work += len(text) // 4
        plain = len(text) >= FLOOD_LENGTH and "\x1b" not in text and self._tokens.between
        if not (plain and self._take_flood(text)):
            self._run(*self._tokens.split(text))

    def _run(self, pairs: list[Pair], tail: str) -> None:
        """Perform text and controls in turn."""
        self.work += len(pairs) * 12
        learned, cursor, columns = self._memo.get, self.cursor, self.columns
        changed, last_y = self._dirty.add, -1
        carried = self._last_text
        for text, token in pairs:
            if text:
                x = cursor.x
                end = x + len(text)
                if self._plain and end <= columns and (text.isascii() or is_narrow(text)):
                    y = cursor.y
                    row = self._rows[y]
                    if care := row.care:
                        if care == SHARED:
                            row = self._rows[y] = row.copy()
                        else:
                            row.split_at(x)
                            row.split_at(end)
                    if end - x == 1:
                        row.text[x] = text
                        row.looks[x] = cursor.look
                    else:
                        row.text[x:end] = text
                        row.looks[x:end] = [cursor.look] * (end - x)
                    cursor.x = end
                    if y != last_y:
                        changed(y)
                        last_y = y
                else:
                    self.draw(text)
            operation = learned(token)
            if type(operation) is Selection:
                painted = operation.get(id(cursor.look)) or operation.after(cursor.look)
                cursor.look, cursor.blank, _ = painted
            elif operation is None:
                self._last_text = text or carried
                self._perform(self._learn(token))
            elif type(operation) is Position:
                if self._origin:
                    self._perform(operation)
                else:
                    cursor.y, cursor.x = operation
            elif type(operation) is Repetition:
                self._last_text = text or carried
                self.repeat(operation.times)
            else:
                operation()
            carried = ""
        self._last_text = tail or carried
        if tail:
            self.draw(tail)
