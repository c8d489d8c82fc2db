"""How a cell looks: its attributes, and what SGR (ECMA-48 8.3.117, xterm ctlseqs) does to them.

Colours are named as pyte names them: `default`, eight names (`brown` is colour 3), `bright…`, or
six hexadecimal digits. Only valid colours ever get out: a component beyond 255 leaves the colour as
it was.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pyte.graphics
import pyte.screens

NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
PALETTE: tuple[str, ...] = tuple(pyte.graphics.FG_BG_256)
"""The 256 colours as hexadecimal digits; index 0-15 are pyte's shades of the named ones."""


class Attributes(NamedTuple):
    """The looks of one cell, without its text."""

    fg: str = "default"
    bg: str = "default"
    bold: bool = False
    italics: bool = False
    underscore: bool = False
    strikethrough: bool = False
    reverse: bool = False
    blink: bool = False
    dim: bool = False
    conceal: bool = False
    protected: bool = False
    """Not to be seen: set by DECSCA, looked at by selective erase."""


PLAIN = Attributes()
PROTECTED = Attributes(protected=True)


class Char(pyte.screens.Char):
    """One cell as pyte shows it, with `dim` and `conceal` beside pyte's nine fields.

    `data` is the cell's character with whatever was attached to it, or `""` for the right half of a
    wide character. Equal to a `pyte.screens.Char` with the same nine fields.
    """

    dim: bool = False
    conceal: bool = False

    @classmethod
    def of(cls, data: str, look: Attributes) -> Char:
        """The cell that shows `data` with this look."""
        char = cls(data, *look[:8])
        if look.dim:
            char.dim = True
        if look.conceal:
            char.conceal = True
        return char

    def _replace(self, **changes: Any) -> Char:
        dim = bool(changes.pop("dim", self.dim))
        conceal = bool(changes.pop("conceal", self.conceal))
        fields = {**self._asdict(), **changes}
        return Char.of(fields.pop("data"), Attributes(**fields)._replace(dim=dim, conceal=conceal))

    @property
    def look(self) -> Attributes:
        """The attributes of this cell."""
        return Attributes(*self[1:], dim=self.dim, conceal=self.conceal)


_SWITCHES: dict[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italics": True},
    4: {"underscore": True},
    5: {"blink": True},
    6: {"blink": True},
    7: {"reverse": True},
    8: {"conceal": True},
    9: {"strikethrough": True},
    21: {"underscore": True},
    22: {"bold": False, "dim": False},
    23: {"italics": False},
    24: {"underscore": False},
    25: {"blink": False},
    27: {"reverse": False},
    28: {"conceal": False},
    29: {"strikethrough": False},
}


def _named_colours() -> dict[int, dict[str, str]]:
    table: dict[int, dict[str, str]] = {39: {"fg": "default"}, 49: {"bg": "default"}}
    for index, name in enumerate(NAMES):
        table[30 + index] = {"fg": name}
        table[40 + index] = {"bg": name}
        table[90 + index] = {"fg": "bright" + name}
        table[100 + index] = {"bg": "bright" + name}
    return table


_CHANGES: dict[int, dict[str, Any]] = {**_SWITCHES, **_named_colours()}
_COLOURED = {38: "fg", 48: "bg", 58: None}
"""58 is the underline's colour (kitty): parsed, so that its values do not count as switches."""


def _number(text: str) -> int:
    """A parameter's value; empty or absurdly long ones count as 0 and 9999 (ECMA-48 5.4.2)."""
    if not text.isdecimal():
        return 0
    return int(text) if len(text) <= 4 else 9999


def colour(kind: int, values: list[int]) -> str | None:
    """The colour that `38;kind;values…` names, or None where it names none."""
    if kind == 5 and values and values[0] <= 255:
        return PALETTE[values[0]]
    if kind == 2 and len(values) >= 3 and max(values[:3]) <= 255:
        return "{:02x}{:02x}{:02x}".format(*values[:3])
    return None


def _colon_colour(parts: list[str]) -> tuple[int, list[int]]:
    """Kind and values of `38:2::r:g:b`, `38:2:r:g:b` and `38:5:n` (ITU-T T.416, xterm)."""
    values = [_number(part) for part in parts]
    kind = values[1] if len(values) > 1 else 0
    rest = values[2:]
    if kind == 2 and len(rest) >= 4:
        rest = rest[1:]
    return kind, rest


def apply_sgr(look: Attributes, parameters: str) -> Attributes:
    """The look after `CSI parameters m`, where parameters may hold `;` and `:`."""
    fields = parameters.split(";")
    at = 0
    while at < len(fields):
        field = fields[at]
        at += 1
        if ":" in field:
            look = _apply_colon(look, field.split(":"))
            continue
        code = _number(field)
        if code == 0:
            look = PROTECTED if look.protected else PLAIN
        elif code in _COLOURED:
            look, used = _apply_semicolon_colour(look, code, fields[at : at + 4])
            at += used
        elif change := _CHANGES.get(code):
            look = look._replace(**change)
    return look


_foreground = re.compile("38;5;([0-9]{1,3})|38;2;([0-9]{1,3});([0-9]{1,3});([0-9]{1,3})").fullmatch


def foreground_only(parameters: str) -> str | None:
    """The colour of an SGR that sets the foreground and nothing else, else None."""
    if change := _CHANGES.get(_number(parameters)):
        return change.get("fg")
    if found := _foreground(parameters):
        index, *rgb = found.groups()
        return colour(5, [int(index)]) if index else colour(2, [int(value) for value in rgb])
    return None


def _apply_colon(look: Attributes, parts: list[str]) -> Attributes:
    code = _number(parts[0])
    if code == 4:
        return look._replace(underscore=parts[1] != "0")
    if code not in _COLOURED:
        change = _CHANGES.get(code)
        return look._replace(**change) if change else look
    return _recoloured(look, _COLOURED[code], colour(*_colon_colour(parts)))


def _apply_semicolon_colour(
    look: Attributes, code: int, fields: list[str]
) -> tuple[Attributes, int]:
    """Colour after `38;`, and how many fields it took; `38;5:n` has its values in one field."""
    if not fields:
        return look, 0
    if ":" in fields[0]:
        kind, values = _colon_colour([str(code), *fields[0].split(":")])
        return _recoloured(look, _COLOURED[code], colour(kind, values)), 1
    kind = _number(fields[0])
    taken = {5: 2, 2: 4}.get(kind, 1)
    values = [_number(field) for field in fields[1:taken]]
    return _recoloured(look, _COLOURED[code], colour(kind, values)), taken


def _recoloured(look: Attributes, field: str | None, value: str | None) -> Attributes:
    if field is None or value is None:
        return look
    return look._replace(**{field: value})  # type: ignore[arg-type]


def sgr_parameters(look: Attributes) -> str:
    """The parameters of the SGR that turns the plain look into this one."""
    codes = ["0"]
    codes += [
        str(code)
        for code, change in _SWITCHES.items()
        if code < 10 and code != 6 and getattr(look, next(iter(change)))
    ]
    for base, value in ((30, look.fg), (40, look.bg)):
        if value in NAMES:
            codes.append(str(base + NAMES.index(value)))
        elif value.startswith("bright"):
            codes.append(str(base + 60 + NAMES.index(value[6:])))
        elif value != "default":
            rgb = (str(int(value[at : at + 2], 16)) for at in (0, 2, 4))
            codes.append(f"{base + 8};2;" + ";".join(rgb))
    return ";".join(codes)
