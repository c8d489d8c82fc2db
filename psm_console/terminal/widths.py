"""How many columns a character takes.

Most text is decided by one regular expression over ranges that are one column wide in every Unicode
version; the rest asks wcwidth. `0` means: no cell of its own, attached to the cell before it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from wcwidth import wcwidth

NARROW_RANGES = (
    "\u0020-\u007e\u00a0-\u02ff\u0370-\u0377\u0391-\u03a1\u03a3-\u0482\u048a-\u052f"
    "\u2010-\u2027\u2030-\u205e\u2070-\u2071\u2074-\u208e\u20a0-\u20bf\u2100-\u218b\u2190-\u2319"
    "\u2500-\u25fc\u2800-\u28ff\ue0a0-\ue0d7\ufffd"
)
"""Ranges of a character class: one column each."""

WIDE_RANGES = "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fef\uac00-\ud7a3\uff01-\uff5e"
"""Ranges of a character class: two columns each."""

is_narrow = re.compile(f"[{NARROW_RANGES}]*").fullmatch
"""Truthy for text of which every character is surely one column wide."""

is_wide = re.compile(f"[{WIDE_RANGES}]+").fullmatch
"""Truthy for text of which every character is surely two columns wide."""

segments = re.compile(
    f"([{NARROW_RANGES}]++)|([{WIDE_RANGES}]++)|([^{NARROW_RANGES}{WIDE_RANGES}])"
).findall
"""Text cut into runs of narrow, runs of wide, and single characters that must be looked up.

Each is a tuple of three of which two are empty.
"""


@lru_cache(maxsize=4096)
def width(character: str) -> int:
    """Columns of one character: 0, 1 or 2."""
    return max(0, wcwidth(character))
