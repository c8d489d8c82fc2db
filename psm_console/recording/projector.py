"""Shows the events of a channel on a screen, the same way live, in replay and in the index."""

from __future__ import annotations

from psm_console.domain.session import Size
from psm_console.terminal import Screen

from .decoding import parse_size
from .events import Code, Event

FEED = 4096
"""Bytes fed at once at least: a screen is quicker with few large chunks than many small ones."""
PIECE = 16384
"""Bytes fed at once at most, so that a caller can look at its budget in between."""

ESCAPE_COST = 20
"""What a control sequence costs beside the screen's `work`, which counts cells."""
_SHOWN = frozenset({Code.OUTPUT, Code.ERROR})


class Projector:
    """Feeds output to `screen`; what was shown is on it after `flush`.

    Without a PTY there was no terminal that began a new line at its left edge, so this does.
    """

    def __init__(self, screen: Screen, *, pty: bool = True) -> None:
        self.screen = screen
        self._pty = pty
        self._waiting: list[bytes] = []
        self._size = 0
        self._escapes = 0

    @property
    def cost(self) -> int:
        """A number that grows with the time that feeding took, the same for the same bytes."""
        return self.screen.work + ESCAPE_COST * self._escapes

    def show(self, event: Event) -> None:
        """Take one event: output, error output without a PTY, or a new size."""
        if event.code == Code.RESIZE:
            self._resize(event.data)
        elif event.code in _SHOWN and isinstance(event.data, bytes) and not event.beside:
            self.feed(event.data)

    def feed(self, data: bytes) -> None:
        """Take output bytes."""
        if len(data) > PIECE:
            for start in range(0, len(data), PIECE):
                self.feed(data[start : start + PIECE])
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= FEED:
            self.flush()

    def flush(self) -> Screen:
        """Bring everything onto the screen and return it."""
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting, self._size = [], 0
            self._escapes += data.count(b"\x1b")
            self.screen.feed(data if self._pty else data.replace(b"\n", b"\r\n"))
        return self.screen

    def _resize(self, data: bytes | str) -> None:
        size: Size | None = parse_size(data) if isinstance(data, str) else None
        if size is not None:
            self.flush().resize(size.rows, size.columns)
