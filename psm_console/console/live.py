"""Live: everything that happens now, in one list; the selected session beside it."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer

from psm_console.domain.session import Session
from psm_console.domain.text import visible
from psm_console.operations.actions import Scope
from psm_console.operations.errors import PsmError
from psm_console.operations.sessions import Watch

from . import figures, glyphs
from .acts import bindings
from .facts import FactPanel, session_facts, state_line
from .list_room import ListRoom
from .notice import Notice
from .orders import Orders
from .pane import SessionPane, channel_to_watch
from .room import WIDE
from .session_list import ORDERS, SessionList, arranged
from .shadow import KEEP_S, ShadowScreen
from .virtual_list import VirtualList
from .workplace import Workplace

PREVIEW_AFTER_S = 0.15
"""How long the cursor rests on a row before its screen is fetched."""
TICK_S = 0.2
_BRIEF = {"Look", "Reason", "Ticket", "From", "Watching"}
NOBODY = (
    "Nobody is connected just now.\n\nA session appears here the moment an operator connects\n"
    "through the broker, with ssh ana+root@db1@broker.\n\n2 opens the library of recordings"
)


class LiveScreen(Orders, ListRoom):
    """The list of live sessions, with a preview where there is room."""

    mode = "live"
    orders = tuple(ORDERS)
    placeholder = "words that must occur, !word must not"
    parts = ("#filter", "#empty", "#facts", "#summary")
    scopes = (Scope.LIVE, Scope.ORDER, Scope.LIST)
    BINDINGS: ClassVar[list[BindingType]] = bindings(*scopes)

    def __init__(self, place: Workplace) -> None:
        self.sessions = SessionList(id="sessions")
        super().__init__(place, self.sessions)
        self._pane = SessionPane(place, id="preview")
        self._rest: Timer | None = None
        self._watch: Watch | None = None

    def body(self) -> ComposeResult:
        """The list left; preview and facts right."""
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield from self.list_parts()
            with Vertical(id="right"):
                yield self._pane
                yield FactPanel("Who and why", id="facts")
        yield Notice(id="summary")

    def on_mount(self) -> None:
        """Start to tick."""
        self.show_rows()
        self.set_interval(TICK_S, self._tick)
        self.set_interval(KEEP_S, self._keep)

    def chosen(self) -> Session | None:
        """The session under the cursor, for the acts."""
        return self.sessions.current

    def overview_changed(self) -> None:
        """Take what is newly known; rows that did not change are not drawn again."""
        self.show_rows()

    def show_rows(self) -> None:
        """Show what the filter lets through, in order."""
        words = self.filter_words
        self.sessions.stale = self.place.stale
        self.sessions.order = self.order
        self.sessions.replace(arranged(self.place.sessions, words, self.order))
        self._tell_frame(words)
        self._tell_nothing(words)
        self._tell_facts()
        self._show_preview()

    def _tell_frame(self, words: str) -> None:
        shown, known = len(self.sessions.rows), len(self.place.sessions)
        count = f"{shown} of {known}" if words else f"{known}"
        wanted = f"filter {visible(words, 30)}" if words else "filter none"
        self.sessions.entitle(
            f"Live sessions {glyphs.SEPARATOR} {count}",
            f"sort {self.order} {glyphs.DESCENDING} {glyphs.SEPARATOR} {wanted}",
        )

    def _tell_nothing(self, words: str) -> None:
        if self.place.as_of is None and self.place.store_fault is None:
            self.tell_empty("Reading the store…")
        elif self.place.sessions and words:
            self.tell_empty(f"No live session has “{visible(words, 40)}”.\n\nesc clears the filter")
        else:
            self.tell_empty(NOBODY)

    def _tell_facts(self) -> None:
        session = self.sessions.current
        facts, summary = self.query_one(FactPanel), self.query_one("#summary", Notice)
        self._pane.display = session is not None
        if session is None:
            facts.tell(())
            summary.say(Content(""))
            return
        rows = session_facts(session, figures.now())
        picture = self._pane.standing() if self._watch is not None else ""
        behind = [("Picture", picture, "state-connecting")] if picture else []
        facts.tell([("State", state_line(session), f"state-{session.state}"), *behind, *rows])
        pieces = [state_line(session), *(value for label, value, _ in rows if label in _BRIEF)]
        summary.say(Content(f" {glyphs.SEPARATOR} ".join(pieces)))

    def _tick(self) -> None:
        if self.in_view:
            self.sessions.tick(figures.now())
            self.tell_chrome()

    @on(VirtualList.Selected)
    def _row_selected(self, event: VirtualList.Selected) -> None:
        event.stop()
        self._tell_facts()
        self._preview_soon()

    def _preview_soon(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(PREVIEW_AFTER_S, self._preview)

    async def _preview(self) -> None:
        """Show the selected session's screen where there is room, once the look is noted."""
        session = self.sessions.current
        if session is None or self.size.width < WIDE or not self.in_view:
            await self._end_preview()
            return
        if self._watch is None or self._watch.session.id != session.id:
            await self._end_preview()
            try:
                self._watch = await self.place.desk.watch(session.id, "preview")
            except PsmError as error:
                self.notify(visible(str(error)), severity="error", markup=False)
                return
        self._show_preview()

    def _show_preview(self) -> None:
        """Draw the session as it is known now, when it is the one that is watched."""
        session, watch = self.sessions.current, self._watch
        if watch is not None and session is not None and session.id == watch.session.id:
            self._pane.show(watch, session, channel_to_watch(session))

    async def _end_preview(self) -> None:
        watch, self._watch = self._watch, None
        self._pane.show(None, None, None)
        if watch is not None:
            await self.place.desk.leave(watch)

    async def _keep(self) -> None:
        if self._watch is not None:
            with suppress(PsmError):
                if not await self.place.desk.keep(self._watch):
                    await self._end_preview()

    def on_screen_resume(self) -> None:
        """Come back from another screen."""
        self._preview_soon()

    async def on_screen_suspend(self) -> None:
        """Nobody looks at the preview while another room covers it; a dialog leaves it in view."""
        if not self.in_view:
            await self._end_preview()

    @on(SessionPane.Changed)
    def _picture_changed(self, event: SessionPane.Changed) -> None:
        event.stop()
        self._tell_facts()

    @on(VirtualList.Opened)
    def _row_opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.app.push_screen(ShadowScreen(self.place, event.key))

    def action_session_shadow(self) -> None:
        """Watch the selected session."""
        self.sessions.open_current()

    def link(self) -> str | None:
        """Where the cursor stands, as a link."""
        session = self.sessions.current
        return f"psm://session/{session.id}" if session else None
