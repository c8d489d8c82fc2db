"""A control sequence taken apart: what it is, its parameters, and controls that stood inside."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

from psm_console.terminal.tokens import CSI_LIMIT, STRING_LIMIT

PARAMETERS_LIMIT = 32
"""Parameters looked at, as in xterm; the rest of the sequence is ignored."""
LARGEST = 65535
"""Larger parameters count as this."""

INTRODUCERS = "\x1b\x90\x98\x9b\x9d\x9e\x9f"
"""ESC and the C1 controls that start a sequence or a string."""


class Kind(Enum):
    """What a sequence is."""

    ESCAPE = auto()
    CONTROL = auto()
    SELECT_LOOK = auto()
    """SGR."""
    COMMAND = auto()
    """An operating system command; `parameters` is its text."""
    WITHOUT_EFFECT = auto()


class Sequence(NamedTuple):
    """A sequence taken apart."""

    kind: Kind
    name: str = ""
    """Private prefix, intermediates and final: the key of the dispatch tables."""
    parameters: str = ""
    controls: str = ""
    """C0 controls that stood inside: they are performed first."""


_control = re.compile("(?:\x1b\\[|\x9b)([<-?]?)([0-9:;]*)([ -/]*)([@-~])").fullmatch
_escape = re.compile("\x1b([ -/]*[0-~])").fullmatch
_command = re.compile(
    "(?:\x1b[\x00-\x1f\x7f]*\\]|\x9d)([^\x07\x18\x1a\x9c]*)([\x07\x18\x1a\x9c]?)"
).fullmatch
_string = re.compile("\x1b[\x00-\x1f\x7f]*[PX^_]|[\x90\x98\x9e\x9f]").match
several_sgr = re.compile("(?:\x1b\\[[0-9;]*m)+").fullmatch
"""Truthy for a token that is one ordinary SGR sequence, or several in a row."""

_inside = re.compile("[\x00-\x17\x19\x1c-\x1f\x7f]")


def parse(token: str) -> Sequence:
    """What a whole token means. Never raises: what is not well-formed has no effect."""
    if len(token) <= CSI_LIMIT and (found := _control(token)):
        return _control_sequence(found)
    if found := _command(token):
        kind = Kind.WITHOUT_EFFECT if found[2] in ("\x18", "\x1a") else Kind.COMMAND
        return Sequence(kind, parameters=found[1][:STRING_LIMIT])
    if _string(token):
        return Sequence(Kind.WITHOUT_EFFECT)
    if len(token) > CSI_LIMIT:
        return Sequence(Kind.WITHOUT_EFFECT)
    controls = "".join(_inside.findall(token))
    if controls:
        token = _inside.sub("", token)
    if found := _control(token):
        return _control_sequence(found, controls)
    if found := _escape(token):
        return Sequence(Kind.ESCAPE, found[1], controls=controls)
    return Sequence(Kind.WITHOUT_EFFECT, controls=controls)


def _control_sequence(found: re.Match[str], controls: str = "") -> Sequence:
    name = found[1] + found[3] + found[4]
    kind = Kind.SELECT_LOOK if name == "m" else Kind.CONTROL
    return Sequence(kind, name, found[2], controls)


def numbers(parameters: str) -> tuple[int, ...]:
    """The values of `1;2;3`; empty and missing ones are 0, sub-parameters are left out."""
    fields = parameters.split(";", PARAMETERS_LIMIT)[:PARAMETERS_LIMIT]
    return tuple(number(field.partition(":")[0]) for field in fields)


def number(digits: str) -> int:
    """A decimal value, at most LARGEST; 0 where there is none."""
    if not digits:
        return 0
    return min(int(digits), LARGEST) if len(digits) <= 9 else LARGEST
