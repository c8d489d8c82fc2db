"""The list of recordings: its columns and what a search finds in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psm_console.domain.session import LIVE_STATES, SessionState
from psm_console.domain.text import visible
from psm_console.store.recordings import RecordingInfo

from . import figures, glyphs
from .ink import Ink
from .line import Cell, fit
from .virtual_list import VirtualList

WHEN, LENGTH, SIZE, STATE = 18, 10, 9, 12
ORDERS: Mapping[str, tuple[str, bool]] = {
    "newest": ("opened_at", True),
    "oldest": ("opened_at", False),
    "longest": ("duration_s", True),
    "largest": ("size_bytes", True),
}
"""What the library can be sorted by: attribute, and whether the greatest is first."""


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for: `operator:`, `target:`, `since:`, `until:`, and words in the row."""

    words: tuple[str, ...] = ()
    operator: str = ""
    target: str = ""
    since: str = ""
    until: str = ""
    """Dates as they are written, `2026-11-21` or shorter; compared as text, both included."""

    @classmethod
    def parse(cls, text: str) -> Search:
        """Read a search; what is no known key counts as a word."""
        words, keyed = [], {}
        for piece in text.casefold().split():
            key, separator, value = piece.partition(":")
            if separator and key in ("operator", "target", "since", "until"):
                keyed[key] = value
            else:
                words.append(piece)
        return cls(tuple(words), **keyed)

    def wanted(self) -> dict[str, Any]:
        """Return what of it the store can look for, in an archive too large to be read whole."""
        return {
            "operator": f"*{self.operator}*" if self.operator else None,
            "text": max((*self.words, self.target), key=len) or None,
            "since": _day(self.since),
        }

    def finds(self, row: RecordingInfo) -> bool:
        """Whether a recording is meant."""
        session, date = row.session, figures.day(row.opened_at)
        text = " ".join(
            (
                row.id,
                session.operator,
                str(session.account),
                date,
                session.reason or "",
                session.ticket or "",
                session.end_reason or "",
                session.last_line,
                *(channel.command or "" for channel in session.channels),
                *(channel.kind for channel in session.channels),
            )
        ).casefold()
        return (
            self.operator in session.operator.casefold()
            and self.target in str(session.account).casefold()
            and (not self.since or date[: len(self.since)] >= self.since)
            and (not self.until or date[: len(self.until)] <= self.until)
            and all(word in text for word in self.words)
        )


def _day(text: str) -> datetime | None:
    """Return the local day that a date, or the beginning of one, stands for; None for no date."""
    try:
        return datetime.strptime((text + "-01-01")[:10], "%Y-%m-%d").astimezone()
    except ValueError:
        return None


def arranged(rows: Iterable[RecordingInfo], text: str, order: str) -> list[RecordingInfo]:
    """Return the recordings that a search finds, sorted."""
    search = Search.parse(text)
    name, backwards = ORDERS[order]
    found = [row for row in rows if search.finds(row)]
    return sorted(found, key=lambda row: _sort_key(getattr(row, name)), reverse=backwards)


def _sort_key(value: datetime | float | None) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return -1.0 if value is None else float(value)


def standing(row: RecordingInfo) -> tuple[str, str]:
    """Return sign and word for how whole a recording is, and the token of its colour."""
    if row.closed_at is not None:
        return f"{glyphs.STOP} closed", "state-ended"
    if row.session.state is SessionState.LOST:
        return f"{glyphs.STATES[SessionState.LOST]} lost", "state-lost"
    if row.session.state in LIVE_STATES:
        return f"{glyphs.DOT} live", "state-active"
    return f"{glyphs.HOLLOW} unclosed", "state-ending"


class RecordingList(VirtualList[RecordingInfo]):
    """Recordings: when, who, where, how long, how large, how it ended."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.order = next(iter(ORDERS))
        self._ink: Ink | None = None

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

    def key(self, row: RecordingInfo) -> str:
        """A recording's id."""
        return row.id

    def head(self, width: int) -> list[Cell]:
        """The columns' names."""
        quiet = self.ink.style("text-quiet")
        operator, account, last = _widths(width)
        return [
            (fit("  WHEN", WHEN + 2), quiet),
            (fit("OPERATOR", operator), quiet),
            (fit("ACCOUNT@TARGET", account), quiet),
            (fit("  LENGTH", LENGTH), quiet),
            (fit("   SIZE", SIZE), quiet),
            (fit("STATE", STATE), quiet),
            (fit("HOW IT ENDED, WHAT IT WAS FOR", last), quiet),
        ]

    def cells(self, row: RecordingInfo, width: int, at_cursor: bool) -> list[Cell]:
        """One recording."""
        ink, session = self.ink, row.session
        back = "row-cursor-bg" if at_cursor else ""
        text = "row-cursor-fg" if at_cursor else "foreground"
        operator, account, last = _widths(width)
        state, token = standing(row)
        seconds = "" if row.duration_s is None else figures.age(row.duration_s)
        size = "" if row.size_bytes is None else figures.size(row.size_bytes)
        return [
            (glyphs.CURSOR + " " if at_cursor else "  ", ink.style("key", back)),
            (fit(figures.day(row.opened_at), WHEN), ink.style(text, back)),
            (fit(visible(session.operator), operator), ink.style(text, back, bold=True)),
            (fit(visible(str(session.account)), account), ink.style("priv-account", back)),
            (fit(seconds.rjust(LENGTH - 2), LENGTH), ink.style(text, back)),
            (fit(size.rjust(SIZE - 2), SIZE), ink.style(text, back)),
            (fit(state, STATE), ink.style(token, back)),
            self._told(row, last, back, text),
        ]

    def _told(self, row: RecordingInfo, width: int, back: str, text: str) -> Cell:
        """How it ended, in a colour of its own when the operator did not choose the end."""
        forced = _forced(row)
        token = "mark-alert" if forced else text
        return (
            fit(visible(_story(row)), width),
            self.ink.style(token, back, dim=not (back or forced)),
        )


def _widths(width: int) -> tuple[int, int, int]:
    """Return the widths of operator, account and the rest."""
    operator, account = (14, 24) if width >= 150 else (11, 18)
    last = width - WHEN - 2 - operator - account - LENGTH - SIZE - STATE
    if last < 0:
        account, last = max(account + last, 8), 0
    return operator, account, last


def _forced(row: RecordingInfo) -> bool:
    """Whether somebody else than the operator ended the session."""
    return row.session.ended_by not in (None, row.session.operator)


def _story(row: RecordingInfo) -> str:
    session = row.session
    ended = session.end_reason or ""
    if _forced(row):
        ended = f"{glyphs.ATTENTION} {ended} ({session.ended_by})".replace("  ", " ")
    pieces = (ended, session.reason or "", session.ticket or "")
    return " · ".join(piece for piece in pieces if piece)
