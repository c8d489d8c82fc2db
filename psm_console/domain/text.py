"""Hostile text made visible: the one sanitiser, applied where text enters."""

from __future__ import annotations

import re
import unicodedata

# C0, DEL, C1, soft hyphen, combining grapheme joiner, Arabic letter mark, Hangul fillers,
# zero-width and bidi controls, line separators, variation selectors, BOM, interlinear
# annotation, lone surrogates, tags: what a terminal obeys or an eye cannot see.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff\U0001d173-\U0001d17a]"
)
MARKS_IN_A_ROW = 4
"""Combining marks kept on one character; more pile up over the neighbouring rows."""


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte that was no text (PEP 383)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str, limit: int | None = None) -> str:
    """Return `text` with every control, bidi and invisible character spelled out as an escape.

    `limit` is in characters of the result; what is longer ends in an ellipsis.
    """
    if not text.isascii() or not text.isprintable():
        text = _without_piles(HIDDEN.sub(_spelled, text))
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    return text


def _without_piles(text: str) -> str:
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= MARKS_IN_A_ROW:
            kept.append(character)
    return "".join(kept)
