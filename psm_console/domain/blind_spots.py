"""The blind-spot ledger in words: of each channel, how it was recorded and what nobody can see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .session import Channel


class Coverage(StrEnum):
    """How much of what went by on a channel can be read in its recording."""

    WHOLE = "whole"
    PART = "in part"
    DIGEST = "digest"
    """Contents only as SHA-256: what it was is told by what is beside them."""


Amount = Callable[[int], str]
"""Spells a number of bytes."""


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Bytes that a channel's recording does not show, and why."""

    count: int
    what: str
    why: str

    def sentence(self, amount: Amount) -> str:
        """Return it as a clause."""
        return f"{amount(self.count)} {self.what} ({self.why})"


def exact(count: int) -> str:
    """Spell a number of bytes to the last one."""
    return "1 byte" if count == 1 else f"{count:,} bytes"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How channels of a kind are recorded when all of it is digested."""

    recorded: str
    what: str
    why: str


_DIGESTED = {
    "sftp": _Kind(
        "file operations, contents as SHA-256",
        "of file transfer",
        "operations, sizes and SHA-256 are kept",
    ),
    "forward": _Kind(
        "metered, contents as SHA-256",
        "forwarded",
        "destination, first bytes, sizes and SHA-256 are kept",
    ),
}
"""A kind of channel that is recorded as digests has its line here."""
_ANY = _Kind("contents as SHA-256", "of content", "sizes and SHA-256 are kept")


def recorded_as(channel: Channel) -> str:
    """Say in a few words how a channel was recorded."""
    ledger = channel.ledger
    if ledger.input_recorded == "digest":
        carried = f", {ledger.protocol}" if ledger.protocol else ""
        return _DIGESTED.get(channel.kind, _ANY).recorded + carried
    seen = "screen as bytes" if channel.pty else "output as bytes"
    given = "typing" if channel.pty else "input"
    kept = ledger.input_recorded == "bytes"
    said = "all as bytes" if kept else f"{seen}, {given} counted"
    return f"{said}, past the quota as SHA-256" if ledger.digest_bytes else said


def coverage(channel: Channel) -> Coverage:
    """Say how much of a channel can be read."""
    if channel.ledger.input_recorded == "digest":
        return Coverage.DIGEST
    return Coverage.PART if blind_spots(channel) else Coverage.WHOLE


def blind_spots(channel: Channel) -> tuple[BlindSpot, ...]:
    """Return what a channel's recording does not show; nothing when all of it can be read."""
    return tuple(spot for find in _SPOTS if (spot := find(channel)) and spot.count)


def total(channels: Sequence[Channel]) -> tuple[BlindSpot, ...]:
    """Return the blind spots of all channels together, those of one cause added up."""
    counts: dict[tuple[str, str], int] = {}
    for channel in channels:
        for spot in blind_spots(channel):
            counts[spot.what, spot.why] = counts.get((spot.what, spot.why), 0) + spot.count
    return tuple(BlindSpot(count, what, why) for (what, why), count in counts.items())


def unseen(channels: Sequence[Channel], amount: Amount = exact) -> str:
    """Say in one sentence what nobody can see of these channels."""
    if not channels:
        return "No channel was opened: there was nothing to record."
    spots = total(channels)
    if not spots:
        return "Everything that went by is recorded as bytes."
    return f"Not to be seen: {'; '.join(spot.sentence(amount) for spot in spots)}."


def _typed(channel: Channel) -> BlindSpot | None:
    ledger = channel.ledger
    if ledger.input_recorded != "counts":
        return None
    what = "typed" if channel.pty else "of input"
    return BlindSpot(ledger.input_bytes, what, "counted, as the policy keeps it out")


def _contents(channel: Channel) -> BlindSpot | None:
    ledger = channel.ledger
    if ledger.input_recorded != "digest":
        return None
    kind = _DIGESTED.get(channel.kind, _ANY)
    return BlindSpot(ledger.digest_bytes, kind.what, kind.why)


def _past_quota(channel: Channel) -> BlindSpot | None:
    ledger = channel.ledger
    if ledger.input_recorded == "digest":
        return None
    return BlindSpot(ledger.digest_bytes, "past a channel's quota", "only SHA-256 is kept")


def _discarded(channel: Channel) -> BlindSpot | None:
    lost = channel.ledger.discarded_bytes
    return BlindSpot(lost, "typed in a pause", "thrown away: the target never got it")


_SPOTS: tuple[Callable[[Channel], BlindSpot | None], ...] = (
    _typed,
    _contents,
    _past_quota,
    _discarded,
)
