"""Bytes in, screen changed: the loop that everything else is built to keep short.

Controls are looked up whole in a memo from the token to a ready call, because programs repeat
themselves; text goes straight into the row when nothing stands in its way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

from psm_console.terminal.attributes import Attributes, apply_sgr
from psm_console.terminal.cursor import blank_of
from psm_console.terminal.dispatch import (
    CONTROLS,
    ESCAPES,
    SEQUENCES,
    WITHOUT_PARAMETERS,
)
from psm_console.terminal.resizing import Resizing
from psm_console.terminal.sequences import INTRODUCERS, Kind, Sequence, numbers, parse
from psm_console.terminal.tokens import Tokens

Operation = Callable[[], object]
Look = tuple[Attributes, Attributes]

_RUNS = {"linefeed": "linefeeds", "tab": "tab", "backspace": "cursor_back"}
"""What does a control several times at once."""

MEMO_LIMIT = 4096
"""Tokens remembered; all are forgotten when there are more."""
EPOCH = 16384
"""Characters after which the credit for expensive operations is refilled."""


def nothing() -> None:
    """The operation of a control that has no effect here."""


class Interpreter(Resizing):
    """A screen that is fed bytes."""

    def __init__(self, columns: int, lines: int, history: int = 1000) -> None:
        super().__init__(columns, lines, history)
        self._tokens = Tokens()
        self._memo: dict[str, Operation] = {}
        self._credit = EPOCH
        self._epoch_left = EPOCH

    @property
    def idle(self) -> bool:
        """Whether neither the parser nor the UTF-8 decoder is in the middle of something."""
        return self._tokens.idle

    def feed(self, data: bytes) -> None:
        """Show what a terminal shows after these bytes. Any bytes, cut anywhere; never raises."""
        text = self._tokens.decode(data)
        while len(text) >= self._epoch_left:
            piece, text = text[: self._epoch_left], text[self._epoch_left :]
            self._run(self._tokens.split(piece))
            self._credit = self._epoch_left = EPOCH
        if text:
            self._epoch_left -= len(text)
            self._run(self._tokens.split(text))

    def _run(self, parts: list[str]) -> None:
        """Perform text and controls in turn."""
        self.work += len(parts) * 8
        memo, cursor, columns = self._memo, self.cursor, self.columns
        tail = parts.pop()
        each = iter(parts)
        for text, token in zip(each, each, strict=True):
            if text:
                x = cursor.x
                end = x + len(text)
                if end <= columns and self._simple and text.isascii() and not self._orphans:
                    y = cursor.y
                    row = self._rows[y]
                    if row.care:
                        self.draw(text)
                    else:
                        row.text[x:end] = text
                        row.looks[x:end] = [cursor.look] * (end - x)
                        cursor.x = end
                        self._dirty.add(y)
                        self._last_character = text[-1]
                else:
                    self.draw(text)
            operation = memo.get(token)
            if operation is None:
                operation = self._learn(token)
            operation()
            cursor = self.cursor
        self.draw(tail)

    def _learn(self, token: str) -> Operation:
        """The operation of a token, remembered when the token is of ordinary length."""
        operation = self._operation(token)
        if len(token) <= 64:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            self._memo[token] = operation
        return operation

    def _operation(self, token: str) -> Operation:
        first = token[0]
        if first in INTRODUCERS and len(token) > 1:
            return self._sequence(token)
        control = CONTROLS.get(first)
        if token == "\r\n":
            return self._carriage_return_linefeed
        if control is None:
            return nothing
        name, arguments = control
        if len(token) == 1 or name == "carriage_return":
            return partial(getattr(self, name), *arguments)
        return partial(getattr(self, _RUNS[name]), len(token))

    def _carriage_return_linefeed(self) -> None:
        self.cursor.x = 0
        self.linefeed()

    def _sequence(self, token: str) -> Operation:
        """The operation of something that starts with ESC, CSI, OSC, DCS, SOS, PM or APC."""
        sequence = parse(token)
        meant = self._meaning(sequence)
        if not sequence.controls:
            return meant
        before = [self._operation(control) for control in sequence.controls]
        return partial(_in_turn, [*before, meant])

    def _meaning(self, sequence: Sequence) -> Operation:
        """The operation of a sequence without the controls inside it."""
        match sequence.kind:
            case Kind.COMMAND:
                return partial(self.operating_system_command, sequence.parameters)
            case Kind.ESCAPE:
                return self._escape(sequence.name)
            case Kind.CONTROL:
                return self._control_sequence(sequence)
            case Kind.SELECT_LOOK:
                return partial(self._select_look, sequence.parameters, {})
            case Kind.WITHOUT_EFFECT:
                return nothing
        assert_never(sequence.kind)

    def _escape(self, name: str) -> Operation:
        if len(name) == 2 and name[0] in "()*+-./":
            return partial(self.define_charset, name[1], name[0])
        if name not in ESCAPES:
            return nothing
        method, arguments = ESCAPES[name]
        return partial(getattr(self, method), *arguments)

    def _control_sequence(self, sequence: Sequence) -> Operation:
        method = SEQUENCES.get(sequence.name)
        if method is None:
            return nothing
        if method in WITHOUT_PARAMETERS:
            return getattr(self, method)  # type: ignore[no-any-return]
        return partial(getattr(self, method), *numbers(sequence.parameters))

    def set_private_mode(self, *modes: int) -> None:
        """DECSET."""
        self.set_mode(*modes, private=True)

    def reset_private_mode(self, *modes: int) -> None:
        """DECRST."""
        self.reset_mode(*modes, private=True)

    def select_graphic_rendition(self, *attrs: int, private: bool = False) -> None:
        """SGR as pyte calls it."""
        if not private:
            self.cursor.paint(apply_sgr(self.cursor.look, ";".join(map(str, attrs))))

    def _select_look(self, parameters: str, known: dict[Attributes, Look]) -> None:
        """SGR with its results so far: a program has few looks and keeps switching between them."""
        cursor = self.cursor
        found = known.get(cursor.look)
        if found is None:
            if len(known) >= 256:
                known.clear()
            look = apply_sgr(cursor.look, parameters)
            found = known[cursor.look] = (look, blank_of(look))
        cursor.look, cursor.blank = found


def _in_turn(operations: list[Operation]) -> None:
    for operation in operations:
        operation()
