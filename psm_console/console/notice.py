"""A few lines of text that are drawn again only when they are other lines."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Notice(Static):
    """Shows Content; saying the same twice costs nothing."""

    def __init__(self, *, id: str, classes: str = "") -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._said = Content("")

    def say(self, content: Content) -> None:
        """Show this from now on."""
        before, self._said = self._said, content
        if content.plain != before.plain or content.spans != before.spans:
            lines = content.plain.count("\n") != before.plain.count("\n")
            self.update(content, layout=lines or not before.plain or not content.plain)
