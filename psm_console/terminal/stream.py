"""pyte's stream for code that was written for it; ours hands everything to `Screen.feed`."""

from __future__ import annotations

import pyte

from psm_console.terminal.screen import Screen


class Stream(pyte.ByteStream):
    """Feeds bytes, or text that is encoded first, to a screen."""

    def feed(self, data: bytes | str) -> None:
        """Hand data to the attached screen. Raises RuntimeError when none is attached."""
        if not isinstance(self.listener, Screen):
            raise RuntimeError("Attach a psm_console.terminal.Screen first.")
        self.listener.feed(data.encode("utf-8", "replace") if isinstance(data, str) else data)
