"""What stands in a keyframe: msgpack arrays, compressed with zstandard."""

from __future__ import annotations

import msgspec

from psm_console.terminal.attributes import Attributes

FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024
"""Uncompressed size that is still read: more can only be a bomb."""


class KeyframeError(ValueError):
    """The bytes are not a keyframe that this program can use: make the index again."""


class Cells(msgspec.Struct, array_like=True):
    """A row: its text (a string, or one per cell) and looks as pairs of number and repetitions."""

    text: str | list[str]
    looks: list[int]
    wrapped: bool


class Saved(msgspec.Struct, array_like=True):
    """What DECSC kept on one of the screens."""

    alternate: bool
    x: int
    y: int
    look: int
    charsets: str
    charset: int
    origin: bool


class State(msgspec.Struct, array_like=True):
    """A keyframe's content, in the order in which it is written."""

    format: int
    columns: int
    lines: int
    looks: list[Attributes]
    rows: list[Cells]
    other: list[Cells]
    alternate: bool
    region: tuple[int, int]
    modes: list[int]
    tabstops: list[int]
    cursor: tuple[int, int, int]
    saved: list[Saved]
    titles: list[tuple[str, str]]
    """Icon names and titles pushed, and the current pair last."""
    charsets: str
    charset: int
    single_shift: int
    last_character: str
    orphans: str
    parser: tuple[bytes, str, int, str]
    credit: tuple[int, int]
