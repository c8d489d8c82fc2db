"""Figures as an analyst reads them: ages, clocks, sizes, sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from .glyphs import BARS


def age(seconds: float) -> str:
    """Return a span as `mm:ss`, `h:mm:ss` from an hour on, `3d 04h` from a day on."""
    whole = max(int(seconds), 0)
    days, rest = divmod(whole, 86400)
    if days:
        return f"{days}d {rest // 3600:02}h"
    hours, rest = divmod(rest, 3600)
    clock = f"{rest // 60:02}:{rest % 60:02}"
    return f"{hours}:{clock}" if hours else clock


def offset(seconds: float) -> str:
    """Return a position in a recording as `hh:mm:ss`."""
    whole = max(int(seconds), 0)
    return f"{whole // 3600:02}:{whole % 3600 // 60:02}:{whole % 60:02}"


def clock(at: datetime) -> str:
    """Return the local time of day of an aware instant."""
    return at.astimezone().strftime("%H:%M:%S")


def day(at: datetime) -> str:
    """Return an aware instant as local date and minute."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def now() -> datetime:
    """Return the present instant, aware, UTC."""
    return datetime.now(UTC)


def size(count: int) -> str:
    """Return a count of bytes in at most six characters."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    return f"{value:.1f} {units[0]}" if value < 9.95 else f"{value:.0f} {units[0]}"


def milliseconds(value: float) -> str:
    """Return a time in milliseconds with as many digits as matter."""
    if value < 10:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.0f} s"


def sparkline(counts: Sequence[int], width: int) -> str:
    """Return the last `width` of `counts` as bars, the newest at the right.

    The scale is logarithmic, as a keystroke's echo and a flood differ by five powers of ten, and
    the same in every row, so that rows compare.
    """
    levels = len(BARS) - 1
    recent = list(counts)[-width:]
    bars = (_level(count, levels) for count in [0] * (width - len(recent)) + recent)
    return "".join(BARS[level] for level in bars)


def _level(count: int, levels: int) -> int:
    """Return 0 for nothing, 1 from a byte on, `levels` from a megabyte on."""
    if count <= 0:
        return 0
    return min(1 + (count.bit_length() - 1) * levels // 20, levels)
