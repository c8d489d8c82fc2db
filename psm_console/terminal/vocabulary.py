"""What each token stands for, remembered.

A token is looked up whole, because programs repeat themselves: what comes out is ready to be done.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, assert_never, final

from psm_console.terminal.attributes import apply_sgr
from psm_console.terminal.dispatch import CONTROLS, ESCAPES, SEQUENCES, WITHOUT_PARAMETERS
from psm_console.terminal.flood import Flooding
from psm_console.terminal.looks import Looks, Selection
from psm_console.terminal.sequences import INTRODUCERS, Kind, Sequence, numbers, parse, several_sgr


@final
class Position(NamedTuple):
    """CUP outside origin mode: line and column from 0, on this size of screen."""

    y: int
    x: int


@final
class Repetition(NamedTuple):
    """REP: it depends on what stood right before it."""

    times: int


Operation = Callable[[], object]
Meaning = Operation | Selection | Position | Repetition
"""What a token stands for."""

_RUNS = {"linefeed": "linefeeds", "tab": "tab", "backspace": "cursor_back"}
"""What does a control several times at once."""

MEMO_LIMIT = 2048
"""Tokens remembered; all are forgotten when there are more."""
TOKEN_LIMIT = 128
"""Characters of a token that is remembered."""


def nothing() -> None:
    """The operation of a control that has no effect here."""


class Vocabulary(Flooding):
    """A screen that knows what tokens mean."""

    def __init__(self, columns: int, lines: int, history: int = 1000) -> None:
        super().__init__(columns, lines, history)
        self._memo: dict[str, Meaning] = {}
        self._looks = Looks()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Change the size, clamped to 1-500 lines and 1-1000 columns; the region is reset."""
        super().resize(lines, columns)
        self._memo.clear()

    def _perform(self, operation: Meaning) -> None:
        """Do what a token stands for."""
        if isinstance(operation, Selection):
            self.cursor.look, self.cursor.blank, _ = operation.after(self.cursor.look)
        elif isinstance(operation, Position):
            self.cursor_position(operation.y + 1, operation.x + 1)
        elif isinstance(operation, Repetition):
            self.repeat(operation.times)
        else:
            operation()

    def _learn(self, token: str) -> Meaning:
        """The operation of a token, remembered when the token is of ordinary length."""
        operation = self._operation(token)
        if len(token) <= TOKEN_LIMIT:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            self._memo[token] = operation
        return operation

    def _operation(self, token: str) -> Meaning:
        first = token[0]
        if token.startswith("\x1bc"):
            return self.reset
        if first in INTRODUCERS and len(token) > 1:
            return self._sequence(token)
        if first in "\x0e\x0f":
            return self.shift_out if token[-1] == "\x0e" else self.shift_in
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
        cursor = self.cursor
        cursor.x = 0
        if cursor.y == self._bottom:
            self._scroll_line()
        elif cursor.y < self.lines - 1:
            cursor.y += 1

    def _sequence(self, token: str) -> Meaning:
        """The operation of something that starts with ESC, CSI, OSC, DCS, SOS, PM or APC."""
        if several_sgr(token):
            return Selection(token[2:-1].split("m\x1b["), self._looks)
        sequence = parse(token)
        meant = self._meaning(sequence)
        if not sequence.controls:
            return meant
        before = [self._operation(control) for control in sequence.controls]
        return partial(self._in_turn, [*before, meant])

    def _in_turn(self, operations: list[Meaning]) -> None:
        for operation in operations:
            self._perform(operation)

    def _meaning(self, sequence: Sequence) -> Meaning:
        """The operation of a sequence without the controls inside it."""
        match sequence.kind:
            case Kind.COMMAND:
                return partial(self.operating_system_command, sequence.parameters)
            case Kind.ESCAPE:
                return self._escape(sequence.name)
            case Kind.CONTROL:
                return self._control_sequence(sequence)
            case Kind.SELECT_LOOK:
                return Selection([sequence.parameters], self._looks)
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

    def _control_sequence(self, sequence: Sequence) -> Operation | Position | Repetition:
        if sequence.parameters == "25" and sequence.name in ("?h", "?l"):
            # Every screen program does this all the time.
            return self.show_cursor if sequence.name == "?h" else self.hide_cursor
        method = SEQUENCES.get(sequence.name)
        if method is None:
            return nothing
        if method == "cursor_position":
            line, column = (*numbers(sequence.parameters), 0, 0)[:2]
            y, x = max(1, min(line, self.lines)) - 1, max(1, min(column, self.columns)) - 1
            return Position(y, x)
        if method == "repeat":
            return Repetition(numbers(sequence.parameters)[0])
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
