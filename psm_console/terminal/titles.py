"""Window titles and icon names (OSC 0, 1, 2; xterm ctlseqs), clean of anything that is not text."""

from __future__ import annotations

import re

from psm_console.terminal.modes import Modes

TITLE_LIMIT = 512
"""Characters kept of a title."""
STACK_LIMIT = 10
"""Titles kept by XTPUSHTITLE, as in xterm."""

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
"""Controls, bidirectional and invisible format characters: a title is shown beside trusted text."""


def clean_title(text: str) -> str:
    """The title without control, bidirectional or invisible characters, cut to TITLE_LIMIT."""
    return _UNPRINTABLE.sub("", text)[:TITLE_LIMIT]


class Titles(Modes):
    """A screen with a title and an icon name."""

    def set_title(self, param: str) -> None:
        """OSC 2."""
        self.title = clean_title(param)

    def set_icon_name(self, param: str) -> None:
        """OSC 1."""
        self.icon_name = clean_title(param)

    def operating_system_command(self, text: str) -> None:
        """OSC: titles are taken; links, clipboard, colours, prompt marks and the rest are not."""
        number, _, value = text.partition(";")
        if number in ("0", "2"):
            self.set_title(value)
        if number in ("0", "1"):
            self.set_icon_name(value)

    def window_operation(self, what: int = 0, which: int = 0, *_: int) -> None:
        """XTWINOPS 22 and 23: titles pushed and popped; nothing else, above all no report."""
        if what == 22:
            self._titles = [*self._titles, (self.title, self.icon_name)][-STACK_LIMIT:]
        elif what == 23 and self._titles:
            title, icon_name = self._titles.pop()
            if which in (0, 2):
                self.title = title
            if which in (0, 1):
                self.icon_name = icon_name
