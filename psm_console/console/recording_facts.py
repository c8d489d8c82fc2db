"""What is known of a recording, and its markers, as lines of Content."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.content import Content

from psm_console.domain.text import visible
from psm_console.store.recordings import RecordingInfo

from . import figures, glyphs
from .facts import Fact, traffic
from .ledger import ledger_facts
from .player import Moment

HANG = 11
"""Cells of a marker's sign and time."""
_TOKENS = ("mark", "mark-warning", "mark-alert")


def recording_facts(info: RecordingInfo, verdict: str) -> list[Fact]:
    """Return who, where, when, how it ended, how whole it is; empty ones are left out."""
    session = info.session
    length = "" if info.duration_s is None else figures.age(info.duration_s)
    size = "" if info.size_bytes is None else figures.size(info.size_bytes)
    good = verdict.startswith("OK")
    rows: list[Fact] = [
        ("Operator", session.operator, "text-strong"),
        ("Account", str(session.account), "priv-account"),
        ("When", figures.day(info.opened_at), "foreground"),
        ("Length", ", ".join(piece for piece in (length, size) if piece), "foreground"),
        ("Reason", session.reason or "", "foreground"),
        ("Ticket", session.ticket or "", "foreground"),
        ("From", session.client, "foreground"),
        ("Ended", session.end_reason or "", "foreground"),
        ("Ended by", session.ended_by or "", "foreground"),
        ("Traffic", traffic(session), "foreground"),
        ("Verified", verdict or "checking…", "outcome-done" if good else "outcome-pending"),
        ("Session", session.id, "text-quiet"),
    ]
    facts = [(label, visible(value, 300), token) for label, value, token in rows if value]
    return [*facts, *ledger_facts(session.channels)]


def marker_lines(markers: Sequence[Moment], at: float, width: int, height: int) -> Content:
    """Return the markers around an instant, the newest one that has passed pointed at."""
    if not markers:
        return Content.styled("No moment of this session was marked.", "$text-quiet")
    current = max((i for i, marker in enumerate(markers) if marker.at <= at + 0.001), default=-1)
    first = min(max(current - height // 3, 0), max(len(markers) - height, 0))
    lines: list[Content] = []
    for index, marker in enumerate(markers[first : first + height], first):
        lines += _marker(marker, width, here=index == current)
    return Content("\n").join(lines[:height])


def _marker(marker: Moment, width: int, *, here: bool) -> list[Content]:
    """Return a marker's lines, what does not fit hanging under its label."""
    weight = min(marker.weight, 2)
    token, sign = f"${_TOKENS[weight]}", glyphs.PLAY if here else " "
    text = f"{glyphs.MARKS[weight]} {visible(marker.label, 200)}"
    pieces = textwrap.wrap(text, max(width - HANG, 8), subsequent_indent="  ") or [text]
    head = (f"{sign} {figures.offset(marker.at)} ", "bold $key" if here else "$text-quiet")
    rest = [Content.styled(" " * HANG + piece, token) for piece in pieces[1:]]
    return [Content.assemble(head, (pieces[0], token)), *rest]
