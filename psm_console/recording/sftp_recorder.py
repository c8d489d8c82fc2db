"""Records an sftp channel: what is done to files, and the SHA-256 of all that passes.

The law of channel.py holds here too: an operation is written before its request is forwarded, and
offset and running SHA-256 of a direction before each of its blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from psm_console.domain.session import Ledger
from psm_console.domain.sftp import Answered, Asked, Closed, FileEvent, Refused, Summed
from psm_console.domain.text import visible

from . import file_log
from .channel import ChannelRecorder
from .events import RecordingError
from .log_writer import FileLogWriter

_STDERR_KEPT = 2000
_SECOND = 1_000_000


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
