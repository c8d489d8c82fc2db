"""Records a forward: where it led, how it began, and the SHA-256 of all that passed, each way.

The law of channel.py holds here too: what is written of a block is written before it is forwarded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from psm_console.domain.session import Ledger

from . import forward_log
from .channel import ChannelRecorder, Opening, Shared
from .events import RecordingError
from .log_writer import FileLogWriter

_SECOND = 1_000_000


class ForwardRecorder(ChannelRecorder):
    """The recorder of one forward."""

    _writer = FileLogWriter
    _header = staticmethod(forward_log.header)
    protocol = ""
    """What the forward seems to carry, as far as is known."""
    unsaid: Callable[[], Iterable[tuple[forward_log.Side, bytes]]] = staticmethod(lambda: ())
    """Asked when the channel closes, for beginnings that have no line yet."""

    def __init__(self, shared: Shared, opening: Opening) -> None:
        super().__init__(shared, opening)
        self._to = opening.command or ""

    @property
    def ledger(self) -> Ledger:
        """How many bytes went each way, all kept as SHA-256, and what they seem to be."""
        return replace(super().ledger, input_recorded="digest", protocol=self.protocol)

    def opened(self, at: float, result: str) -> None:
        """Record what the target answered."""
        self._say(at, forward_log.opened(self._to, result))

    def first(self, at: float, side: forward_log.Side, head: bytes) -> None:
        """Record the bytes that one side began with."""
        self._say(at, forward_log.first(side, head, self.protocol))

    def input(self, at: float, data: bytes) -> None:
        """Record the SHA-256 of what the operator sent and the target will be given."""
        with self._gate:
            self._evidence(_us(at), "i", data)
            self._input += len(data)

    def close(self, at: float, reason: str = "channel closed") -> None:
        """Write how much passed, then as every channel does; idempotent."""
        if not self.closed:
            # A recorder that failed refuses this, and remembers why; its end is tried anyway.
            with suppress(OSError, RecordingError):
                for side, head in self.unsaid():
                    self.first(at, side, head)
                self._say(at, forward_log.closed(self._input, self._output, self.protocol))
        super().close(at, reason)

    def _say(self, at: float, fields: dict[str, object]) -> None:
        with self._gate:
            assert isinstance(self._cast, FileLogWriter)
            self._cast.line(_us(at), fields)
            self._sign_if_due(_us(at))


def _us(at: float) -> int:
    return round(at * _SECOND)
