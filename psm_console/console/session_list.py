"""The list of live sessions: its columns, its order, its filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len

from psm_console.domain.session import LIVE_STATES, Session, SessionState
from psm_console.domain.text import visible

from . import figures, glyphs
from .ink import Ink
from .line import Cell, fit
from .virtual_list import VirtualList

_TROUBLE = {SessionState.LOST: 1, SessionState.PAUSED: 2}
ORDERS: Mapping[str, Callable[[Session], tuple[object, ...]]] = {
    "attention": lambda row: (
        0 if row.attention else _TROUBLE.get(row.state, 3),
        row.started_at,
    ),
    "age": lambda row: (row.started_at,),
    "operator": lambda row: (row.operator, row.started_at),
    "target": lambda row: (row.account.target, row.account.account, row.started_at),
    "activity": lambda row: (-sum(row.activity), row.started_at),
}
"""What the list can be sorted by; the first is the order it starts with."""

AGE, WATCHERS, SPARK = 8, 4, 13
ATTENTION = 24
"""Columns that a sentence of why to look needs at least."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of the columns in cells, each with the blank after it; 0 is left out."""

    state: int
    operator: int
    account: int
    spark: int
    watchers: int
    last: int

    @classmethod
    def within(cls, width: int) -> Columns:
        """Share out `width`: what matters least goes first."""
        state, operator, account = 13, 11, 18
        if width >= 110:
            operator, account = 14, 24
        spark = SPARK if width >= 64 else 0
        watchers = WATCHERS if width >= 84 else 0
        last = width - 3 - state - operator - account - spark - AGE - watchers
        if last < 0:
            account, last = max(account + last, 8), 0
        return cls(state, operator, account, spark, watchers, last)


def matches(session: Session, words: str) -> bool:
    """Whether every word of a filter is somewhere in a session's row; `!word` must not be."""
    text = " ".join(
        (
            session.id,
            session.operator,
            str(session.account),
            session.state,
            session.attention or "",
            session.last_line,
            session.reason or "",
            session.ticket or "",
            session.client,
        )
    ).casefold()
    return all(
        (word == "!" or word[1:] not in text) if word[0] == "!" else word in text
        for word in words.casefold().split()
    )


def arranged(sessions: Iterable[Session], words: str, order: str) -> list[Session]:
    """Return the sessions that a filter lets through, sorted."""
    return sorted((each for each in sessions if matches(each, words)), key=ORDERS[order])


class SessionList(VirtualList[Session]):
    """Live sessions: attention, state, who, where, activity, age, watchers, last line."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.order = next(iter(ORDERS))
        self.stale = False
        """Whether the rows are only what was known some time ago."""
        self._ink: Ink | None = None
        self._now: datetime = figures.now()

    def key(self, row: Session) -> str:
        """A session's id."""
        return row.id

    @property
    def ink(self) -> Ink:
        """The styles of the theme in force."""
        if self._ink is None:
            self._ink = Ink(self.app.theme_variables)
        return self._ink

    def forget_styles(self) -> None:
        """Take the new theme's styles."""
        self._ink = None
        super().forget_styles()

    def tick(self, now: datetime) -> None:
        """Let the ages run."""
        self._now = now
        self.redraw()

    def head(self, width: int) -> list[Cell]:
        """The columns' names, an arrow at the one that sorts."""
        columns = Columns.within(width)
        quiet, strong = self.ink.style("text-quiet"), self.ink.style("key", bold=True)
        names = (
            ("attention", "STATE", columns.state + 3),
            ("operator", "OPERATOR", columns.operator),
            ("target", "ACCOUNT@TARGET", columns.account),
            ("activity", "LAST MINUTE", columns.spark),
            ("age", "AGE", AGE),
            ("", glyphs.WATCHER, columns.watchers),
            ("", "LAST LINE", columns.last),
        )
        cells = []
        for order, name, cells_wide in names:
            sorts = order == self.order
            shown = f"{name} {glyphs.DESCENDING}" if sorts else name
            indent = "   " if name == "STATE" else ""
            cells.append((fit(indent + shown, cells_wide), strong if sorts else quiet))
        return cells

    def cells(self, row: Session, width: int, at_cursor: bool) -> list[Cell]:
        """One session."""
        columns = Columns.within(width)
        back = "row-cursor-bg" if at_cursor else ""
        text = "stale" if self.stale else "row-cursor-fg" if at_cursor else "foreground"
        who = [
            *self._lead(row, back, at_cursor),
            self._state(row, columns.state, back),
            (fit(visible(row.operator), columns.operator), self.ink.style(text, back, bold=True)),
            *self._account(row, columns.account, back),
        ]
        if row.attention and columns.last < ATTENTION:
            # What must be looked at is worth more than activity and age.
            rest = columns.spark + AGE + columns.watchers + columns.last
            return [*who, *self._last(row, rest, back, text)]
        return [
            *who,
            self._spark(row, columns.spark, back),
            (fit(self._age(row), AGE), self.ink.style(text, back)),
            (fit(str(len(row.watchers) or ""), columns.watchers), self.ink.style("key", back)),
            *self._last(row, columns.last, back, text),
        ]

    def _lead(self, row: Session, back: str, at_cursor: bool) -> list[Cell]:
        bar = glyphs.CURSOR if at_cursor else " "
        sign = glyphs.ATTENTION if row.attention else " "
        return [
            (bar, self.ink.style("key", back)),
            (fit(sign, 2), self.ink.style("attention", back, bold=True)),
        ]

    def _state(self, row: Session, width: int, back: str) -> Cell:
        token = "stale" if self.stale else f"state-{row.state}"
        sign = glyphs.STATES[row.state]
        return (fit(f"{sign} {row.state}", width), self.ink.style(token, back))

    def _account(self, row: Session, width: int, back: str) -> list[Cell]:
        account = visible(row.account.account)[: max(width - 2, 0)]
        place = fit(f"@{visible(row.account.target)}", max(width - len(account), 0))
        token = "stale" if self.stale else "priv-account"
        name = "stale" if self.stale else "row-cursor-fg" if back else "foreground"
        return [(account, self.ink.style(token, back)), (place, self.ink.style(name, back))]

    def _spark(self, row: Session, width: int, back: str) -> Cell:
        if not width:
            return ("", self.ink.style("spark"))
        bars = figures.sparkline(row.activity, width - 1)
        return (fit(bars, width), self.ink.style("stale" if self.stale else "spark", back))

    def _age(self, row: Session) -> str:
        return figures.age((self._now - row.started_at).total_seconds()).rjust(AGE - 2)

    def _last(self, row: Session, width: int, back: str, text: str) -> list[Cell]:
        line = visible(row.last_line)
        if not row.attention:
            quiet = "stale" if self.stale or row.state not in LIVE_STATES else text
            return [(fit(line, width), self.ink.style(quiet, back, dim=not back))]
        alert = fit(visible(row.attention) + " ", min(width, len(row.attention) + 2))
        return [
            (alert, self.ink.style("attention", back, bold=True)),
            (fit(line, width - cell_len(alert)), self.ink.style(text, back, dim=not back)),
        ]
