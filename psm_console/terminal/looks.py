"""What SGR sequences made of looks so far, so that the next time costs one look-up.

Looks are kept once each, so that cells share them and a look can be known by its identity.
"""

from __future__ import annotations

from typing import final

from psm_console.terminal.attributes import PLAIN, Attributes, apply_sgr, foreground_only
from psm_console.terminal.cursor import blank_of

Painted = tuple[Attributes, Attributes, Attributes]
"""Look and blank look after a sequence, and the look before it, which keeps its identity alive."""

LOOKS_LIMIT = 4096
"""Different looks kept before all are forgotten."""
RESULTS_LIMIT = 16
"""Results of one sequence kept before all are forgotten."""


class Looks:
    """The looks in use on one screen."""

    __slots__ = ("_bases", "_known")

    def __init__(self) -> None:
        self._known = {PLAIN: PLAIN}
        self._bases: dict[int, tuple[Attributes, Attributes]] = {}

    def one(self, look: Attributes) -> Attributes:
        """The one object that stands for this look."""
        if len(self._known) >= LOOKS_LIMIT:
            self._known = {PLAIN: PLAIN}
        return self._known.setdefault(look, look)

    def base(self, look: Attributes) -> Attributes:
        """The look without its foreground, one object for all that differ only there."""
        found = self._bases.get(id(look))
        if found is None:
            if len(self._bases) >= LOOKS_LIMIT:
                self._bases.clear()
            found = self._bases[id(look)] = (self.one(look._replace(fg="default")), look)
        return found[0]


@final
class Selection(dict[int, Painted]):
    """One SGR sequence or several in a row: the results so far by identity of the look before."""

    __slots__ = ("_by_base", "_foreground", "_looks", "_parameters")

    def __init__(self, parameters: list[str], looks: Looks) -> None:
        super().__init__()
        self._parameters = parameters
        self._looks = looks
        self._foreground = foreground_only(parameters[0]) if len(parameters) == 1 else None
        self._by_base: dict[int, Painted] = {}

    def after(self, look: Attributes) -> Painted:
        """The result for a look, worked out and noted.

        Where only the foreground is set, all looks with one base have one result: in a rainbow each
        of hundreds of colours follows each other one.
        """
        if len(self) >= RESULTS_LIMIT:
            self.clear()
        if self._foreground is None:
            painted = self._painted(look)
        else:
            base = self._looks.base(look)
            known = self._by_base.get(id(base))
            if known is None:
                if len(self._by_base) >= RESULTS_LIMIT:
                    self._by_base.clear()
                new = self._looks.one(Attributes(self._foreground, *base[1:]))
                known = self._by_base[id(base)] = (new, self._looks.one(blank_of(new)), base)
            painted = (known[0], known[1], look)
        self[id(look)] = painted
        return painted

    def _painted(self, look: Attributes) -> Painted:
        new = look
        for parameters in self._parameters:
            new = apply_sgr(new, parameters)
        return self._looks.one(new), self._looks.one(blank_of(new)), look
