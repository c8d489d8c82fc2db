"""Records an sftp channel: what is done to files, and the SHA-256 of all that passes.

The law of channel.py holds here too: an operation is written before its request is forwarded, and
offset and running SHA-256 of a direction before each of its blocks.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from psm_console.domain.session import Ledger
from psm_console.domain.sftp import Answered, Asked, Closed, FileEvent, Refused, Summed
from psm_console.domain.text import visible

from . import file_log, lines
from .cast_writer import CastWriter
from .channel import ChannelRecorder
from .events import Code, RecordingError, pieces

BLOCK = 1 << 20
"""Bytes that one line with a SHA-256 stands for at most."""
_STDERR_KEPT = 2000
_SECOND = 1_000_000


class FileLogWriter(CastWriter):
    """A log of file operations in place of a cast: it keeps no bytes, only what they were."""

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


class SftpRecorder(ChannelRecorder):
    """The recorder of one sftp channel."""

    _writer = FileLogWriter
    _header = staticmethod(file_log.header)
    unfinished: Callable[[], Iterable[FileEvent]] = staticmethod(lambda: ())
    """Asked when the channel closes, for the ends of what is still open."""
    _operations = 0

    @property
    def ledger(self) -> Ledger:
        """How many bytes went each way, all kept as SHA-256, and how many operations."""
        ledger = super().ledger
        return replace(ledger, input_recorded="digest", operations=self._operations)

    def operation(self, at: float, event: FileEvent) -> None:
        """Record what is done to a file, or what became of it."""
        with self._gate:
            self._log().line(_us(at), file_log.fields_of(event))
            match event:
                case Asked() | Refused():
                    self._operations += 1
                case Answered() | Closed() | Summed():
                    pass
            self._sign_if_due(_us(at))

    def input(self, at: float, data: bytes) -> None:
        """Record the SHA-256 of what the operator sent and the target will be given."""
        with self._gate:
            self._evidence(_us(at), "i", data)
            self._input += len(data)

    def error(self, at: float, data: bytes) -> None:
        """Record what the target said on standard error: its beginning, and all as SHA-256."""
        with self._gate:
            said = visible(data[:_STDERR_KEPT].decode("utf-8", "backslashreplace"))
            self._log().line(_us(at), {"stderr": said})
            self._evidence(_us(at), "e", data)
            self._output += len(data)

    def close(self, at: float, reason: str = "channel closed") -> None:
        """Write the ends of what is still open, then as every channel does; idempotent."""
        if not self.closed:
            # A recorder that failed refuses these, and remembers why; its end is tried anyway.
            with suppress(OSError, RecordingError):
                for event in self.unfinished():
                    self.operation(at, event)
        super().close(at, reason)

    def _log(self) -> FileLogWriter:
        assert isinstance(self._cast, FileLogWriter)
        return self._cast


def _us(at: float) -> int:
    return round(at * _SECOND)
