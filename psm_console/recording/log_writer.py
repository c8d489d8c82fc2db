"""Writes the log of a channel whose bytes are not kept: what they were, and their SHA-256.

The law of channel.py holds here too: offset and running SHA-256 of a direction are written before
each of its blocks is forwarded.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from psm_console.domain.text import visible

from . import file_log, lines
from .cast_writer import CastWriter
from .events import Code, pieces

BLOCK = 1 << 20
"""Bytes that one line with a SHA-256 stands for at most."""


class FileLogWriter(CastWriter):
    """A log in place of a cast: it keeps no bytes, only what they were."""

    suffix = ".jsonl"

    def __init__(self, folder_fd: int, stem: str, *, pty: bool, quota_bytes: int) -> None:
        super().__init__(folder_fd, stem, pty=pty, quota_bytes=quota_bytes)
        self._running = {code: hashlib.sha256() for code in "oei"}
        self._passed: Counter[str] = Counter()
        self._at_us = 0

    @property
    def weight(self) -> int:
        """Bytes in the log and bytes that it speaks for: both ask for a signature."""
        return self.file.offset + self.digest_bytes

    def line(self, at_us: int, fields: dict[str, object]) -> None:
        """Write one line; time only goes on."""
        self._at_us = max(self._at_us, at_us)
        self.file.append(file_log.line(lines.seconds(self._at_us), fields))

    def event(self, at_us: int, code: str, text: str) -> None:
        """Write a marker or an exit status; a terminal's size means nothing here."""
        if code == Code.MARKER:
            self.line(at_us, {"mark": visible(text)})
        elif code == Code.EXIT:
            self.line(at_us, {"exit": int(text)})

    def evidence(self, at_us: int, code: str, data: bytes) -> None:
        """Write offset and running SHA-256 of what goes one way."""
        self._at_us = max(self._at_us, at_us)
        for block in pieces(data, BLOCK):
            running, offset = self._running[code], self._passed[code]
            running.update(block)
            said = {"offset": offset, "bytes": len(block), "sha256": running.hexdigest()}
            self.note("digest", {"at": lines.seconds(self._at_us), "code": code, **said})
            self._passed[code] += len(block)
            self.digest_bytes += len(block)
