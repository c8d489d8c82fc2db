"""Library: what was recorded, found by operator, target, date or any word in the row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.timer import Timer

from psm_console.domain.text import visible
from psm_console.operations.actions import Scope
from psm_console.operations.errors import PsmError
from psm_console.store import RecordingInfo

from . import glyphs
from .acts import bindings
from .list_room import ListRoom
from .recording_list import ORDERS, RecordingList, Search, arranged
from .replay import ReplayScreen
from .virtual_list import VirtualList
from .workplace import Workplace

NEWEST = 2000
"""Recordings read without a search; a search looks through all."""
READ_S = 0.5
NOTHING = (
    "Nothing was recorded yet.\n\nEvery session that goes through the broker is recorded\n"
    "and stands here from its first byte on.\n\n1 shows the live sessions"
)


class LibraryScreen(ListRoom):
    """The recordings of this home."""

    mode = "library"
    orders = tuple(ORDERS)
    placeholder = "words, operator:ana target:db1 since:2026-11-01 until:2026-11"
    parts = ("#filter", "#empty")
    scopes = (Scope.LIBRARY, Scope.LIST)
    BINDINGS: ClassVar[list[BindingType]] = bindings(*scopes)

    def __init__(self, place: Workplace) -> None:
        self.recordings = RecordingList(id="recordings")
        super().__init__(place, self.recordings)
        self._known: Sequence[RecordingInfo] | None = None
        self._fault: str | None = None
        self._more = False
        """Whether there are more recordings than were read."""
        self._due: Timer | None = None

    def body(self) -> ComposeResult:
        """One list as wide as the screen."""
        with Vertical(id="body"), Vertical(id="left"):
            yield from self.list_parts()

    def on_mount(self) -> None:
        """Read the list."""
        self.show_rows()
        self.set_interval(1.0, self.tell_chrome)

    def on_screen_resume(self) -> None:
        """Look again: something may have ended meanwhile."""
        self._read_soon(0.0)

    def overview_changed(self) -> None:
        """Read the list again soon; a busy broker changes the store several times a second."""
        if self.in_view:
            self._read_soon(READ_S)

    def _read_soon(self, wait_s: float) -> None:
        if self._due is None:
            self._due = self.set_timer(max(wait_s, 0.01), self._begin_to_read)

    def _begin_to_read(self) -> None:
        self._due = None
        self.start(self._read, group="read", exclusive=True)

    async def _read(self) -> None:
        try:
            known = {row.id: row for row in await self.place.desk.recordings(NEWEST)}
            self._more = len(known) == NEWEST
            if self._more and self.filter_words:
                search = Search.parse(self.filter_words)
                older = await self.place.desk.recordings(NEWEST, **search.wanted())
                known = {row.id: row for row in older} | known
        except PsmError as error:
            self._fault = str(error)
        else:
            self._known, self._fault = list(known.values()), None
            self.place.recordings = len(known)
        if self.laid_out:
            self.show_rows()
            self.tell_chrome()

    def filter_changed(self) -> None:
        """Show what is here at once; look further back when not all is here."""
        self.show_rows()
        if self._more:
            self._read_soon(READ_S)

    def show_rows(self) -> None:
        """Show what the search finds, in order."""
        words = self.filter_words
        self.recordings.replace(arranged(self._known or (), words, self.order))
        shown, known = len(self.recordings.rows), len(self._known or ())
        count = f"{shown} of {known}" if words else f"{known}"
        count += " newest" if self._more else ""
        wanted = f"search {visible(words, 40)}" if words else "search none"
        self.recordings.entitle(
            f"Recordings {glyphs.SEPARATOR} {count}",
            f"{self.order} first {glyphs.SEPARATOR} {wanted}",
        )
        self._tell_nothing(words)

    def _tell_nothing(self, words: str) -> None:
        if self._fault is not None:
            self.tell_empty(visible(self._fault))
        elif self._known is None:
            self.tell_empty("Reading the store…")
        elif self._known:
            self.tell_empty(f"No recording has “{visible(words, 40)}”.\n\nesc clears the search")
        else:
            self.tell_empty(NOTHING)

    @on(VirtualList.Selected)
    def _row_selected(self, event: VirtualList.Selected) -> None:
        event.stop()

    @on(VirtualList.Opened)
    def _row_opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.app.push_screen(ReplayScreen(self.place, event.key))

    def action_recording_open(self) -> None:
        """Replay the selected recording."""
        self.recordings.open_current()

    async def action_recording_verify(self) -> None:
        """Say in one word whether the selected recording is what was written."""
        row = self.recordings.current
        if row is not None:
            self.start(partial(self._verify, row.id), group="verify")

    async def _verify(self, recording: str) -> None:
        try:
            word, detail = await self.place.desk.verify(recording)
        except PsmError as error:
            self.notify(visible(str(error)), severity="error", markup=False)
            return
        self.notify(
            f"{visible(recording)}: {word}{' ' + visible(detail, 200) if detail else ''}",
            severity="information" if word == "OK" else "error",
            markup=False,
            timeout=8,
        )

    def link(self) -> str | None:
        """Where the cursor stands, as a link."""
        row = self.recordings.current
        return f"psm://session/{row.id}" if row else None
