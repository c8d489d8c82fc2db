"""One live channel as the inspector sees it."""

from __future__ import annotations

import time
from pathlib import Path

from psm_console.domain.text import visible
from psm_console.recording.live_index import LiveIndex

SLICE = 16 << 10
"""Bytes of a cast between two looks at the clock."""
LINE_LIMIT = 200
"""Characters of a last line."""


class ChannelWatch:
    """Indexes the cast at `path` and knows the last line of its screen."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError when it can not be indexed here and now."""
        self._index = LiveIndex(path)
        self._read = False
        self.active_at = 0.0
        """When there was something new, on the monotonic clock."""

    @property
    def behind(self) -> bool:
        """Whether there is something to read."""
        return not self._index.at_end

    @property
    def ended(self) -> bool:
        """Whether the channel's end was read."""
        return self._index.end is not None

    def work(self, budget_s: float) -> None:
        """Read on for about `budget_s` seconds at most; raises OSError."""
        until = time.monotonic() + budget_s
        while self.behind and time.monotonic() < until:
            self._index.advance(SLICE)
            self.active_at = time.monotonic()

    def last_line(self) -> str:
        """Return the last line of the screen that is not blank, safe to show."""
        screen = self._index.screen
        for y in range(screen.lines - 1, -1, -1):
            text = " ".join(screen.row_text(y).split())
            if text:
                return visible(text, LINE_LIMIT)
        return ""

    def finish(self) -> None:
        """Close the index, complete if the cast is; raises OSError."""
        self._index.finish()
