"""Widths that are taken for granted are what wcwidth says."""

from __future__ import annotations

import re

from wcwidth import wcwidth

from psm_console.terminal.widths import NARROW_RANGES, WIDE_RANGES


def _characters(ranges: str) -> list[str]:
    return re.findall(f"[{ranges}]", "".join(map(chr, range(0x20, 0x10000))))


def test_every_narrow_range_is_narrow() -> None:
    assert [each for each in _characters(NARROW_RANGES) if wcwidth(each) != 1] == []


def test_every_wide_range_is_wide() -> None:
    assert [each for each in _characters(WIDE_RANGES) if wcwidth(each) != 2] == []
