"""The blind-spot ledger as facts: of each channel what went by, how it was recorded, what is not
to be seen."""

from __future__ import annotations

from collections.abc import Sequence

from psm_console.domain.blind_spots import Coverage, coverage, recorded_as, total
from psm_console.domain.session import Channel
from psm_console.domain.text import visible

from . import figures, glyphs
from .facts import Fact

LATEST = 8
"""Channels with lines of their own; the sentence below them is about all."""
_TOKENS = {
    Coverage.WHOLE: "outcome-done",
    Coverage.PART: "outcome-pending",
    Coverage.DIGEST: "outcome-pending",
}


def ledger_facts(channels: Sequence[Channel], shown: Channel | None = None) -> list[Fact]:
    """Return two facts for each of the newest channels and one for the blind spots of all."""
    facts: list[Fact] = []
    for channel in channels[-LATEST:]:
        here = shown is not None and channel.number == shown.number
        token = "foreground" if channel.closed_at is None else "text-quiet"
        covered = coverage(channel)
        sign = f"{glyphs.COVERAGES[covered]} {covered}"
        facts += [
            ("Shown" if here else "Channel", channel_line(channel), token),
            ("", f"{sign} {glyphs.SEPARATOR} {recorded_as(channel)}", _TOKENS[covered]),
        ]
    if len(channels) > LATEST:
        facts.append(("Earlier", f"{len(channels) - LATEST} more channels", "text-quiet"))
    if channels:
        spots = [spot.sentence(_size) for spot in total(channels)]
        facts.append(("Unseen", "; ".join(spots) or "nothing", "foreground"))
    return facts


def standing(channels: Sequence[Channel]) -> str:
    """Return the ledger in a few words, for where there is no room for it."""
    count = sum(spot.count for spot in total(channels))
    if not count:
        return f"{glyphs.COVERAGES[Coverage.WHOLE]} all to be seen" if channels else ""
    return f"{glyphs.COVERAGES[Coverage.PART]} {_size(count)} not to be seen"


def channel_line(channel: Channel) -> str:
    """Return one line about a channel: what it is, what went by, how it ended."""
    ledger = channel.ledger
    what = visible(channel.command or channel.kind, 120)
    terminal = "" if channel.pty else " (no terminal)"
    went = f"{_size(ledger.output_bytes)} out, {_size(ledger.input_bytes)} in"
    files = ledger.operations
    done = f", {files} file operation{'s' * (files != 1)}" if files else ""
    ended = f" {glyphs.ARROW} {visible(channel.exit, 40)}" if channel.exit else ""
    return f"{channel.number} {what}{terminal} {glyphs.SEPARATOR} {went}{done}{ended}"


def _size(count: int) -> str:
    """Return a count of bytes that is not torn from its unit where the line ends."""
    return figures.size(count).replace(" ", "\N{NO-BREAK SPACE}")
