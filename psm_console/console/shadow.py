"""Shadow: one session as large as possible, who it is above it, what was ordered beside it."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from psm_console.domain.session import Channel, Directive, Session, SessionState
from psm_console.domain.text import visible
from psm_console.operations.actions import Scope
from psm_console.operations.errors import PsmError
from psm_console.operations.sessions import Watch

from . import figures, glyphs
from .acts import bindings
from .facts import FactPanel, order_lines, session_facts, state_line
from .ledger import ledger_facts, standing
from .notice import Notice
from .orders import Orders
from .pane import SessionPane, channel_to_watch
from .workplace import Workplace

KEEP_S = 1.0
"""How often it is asked anew whether one may look, and told that one does."""


class ShadowScreen(Orders):
    """Watches a session; the operator's terminal is never touched by it."""

    mode = "live"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.SHADOW, Scope.ORDER)
    parts = ("#who", "#orders", "#facts")
    scopes = (Scope.SHADOW, Scope.ORDER)

    def __init__(self, place: Workplace, session_id: str) -> None:
        super().__init__(place)
        self.session_id = session_id
        self._session: Session | None = place.session(session_id)
        self.pane = SessionPane(place, id="screen")
        self._channel: Channel | None = None
        self._watch: Watch | None = None
        self._orders: dict[str, Directive] = {}

    def body(self) -> ComposeResult:
        """Who above; the screen; facts and orders at the right where there is room."""
        yield Notice(id="who")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.pane
            with VerticalScroll(id="right", can_focus=False):
                yield Notice(id="orders")
                yield FactPanel("Who and why", id="facts")

    def on_mount(self) -> None:
        """Have the look noted before the first picture, then attach."""
        self._tell()
        self.set_interval(1.0, self._tell)
        self.set_interval(KEEP_S, self._keep)

    def on_screen_resume(self) -> None:
        """Begin to watch, at first and after another room was in front."""
        if self._watch is None:
            self.start(self._enter, group="enter", exclusive=True)

    async def on_screen_suspend(self) -> None:
        """Nobody watches while another room is in front; a dialog leaves the screen in view."""
        if not self.in_view:
            await self._end_watch()

    async def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        self.pane.show(None, None, None)
        if watch is not None:
            await self.place.desk.leave(watch)

    async def _enter(self) -> None:
        desk = self.place.desk
        try:
            watch = await desk.watch(self.session_id)
            given = await desk.directives(watch.session.id)
        except PsmError as error:
            self.notify(visible(str(error)), severity="error", markup=False)
            self.close()
            return
        self.session_id = watch.session.id
        # The list may have learned more while we asked; nobody would tell us a second time.
        self._watch, self._session = watch, self.place.session(self.session_id) or watch.session
        self._orders = {directive.id: directive for directive in given}
        self._show_screen()
        self._tell()

    def _show_screen(self) -> None:
        session = self._session
        if self._watch is not None and session is not None:
            shown = self._channel or channel_to_watch(session)
            self.pane.show(self._watch, session, shown)

    async def _keep(self) -> None:
        """Stay a watcher; whoever may no longer look sees nothing more."""
        if self._watch is None:
            return
        with suppress(PsmError):
            if not await self.place.desk.keep(self._watch):
                await self._end_watch()
                self.notify("You may no longer watch sessions.", severity="error", markup=False)
                self.close()

    async def on_unmount(self) -> None:
        """Stop counting as a watcher."""
        await self._end_watch()

    def chosen(self) -> Session | None:
        """The session that is watched."""
        return self._session

    def overview_changed(self) -> None:
        """Take the session's new state; one that left the list has ended."""
        known = self.place.session(self.session_id)
        if known is not None:
            self._session = known
            self._show_screen()
            self._tell()
        elif not self.place.stale and self.place.as_of is not None:
            self.start(self._read_end, group="end", exclusive=True)

    async def _read_end(self) -> None:
        try:
            self._session = await self.place.desk.session(self.session_id)
        except PsmError:
            return
        self._tell()

    def order_changed(self, directive: Directive) -> None:
        """Show the order at the top of the list."""
        self._orders[directive.id] = directive
        self._tell()

    def on_session_pane_changed(self, event: SessionPane.Changed) -> None:
        """The picture caught up, fell behind, or was lost."""
        self._tell()

    def _tell(self) -> None:
        session = self._session
        if session is None or not self.laid_out:
            return
        self.tell_chrome()
        now = figures.now()
        self.query_one("#who", Notice).say(self._who(session))
        shown = self._channel or channel_to_watch(session)
        facts = [*session_facts(session, now), *ledger_facts(session.channels, shown)]
        self.query_one(FactPanel).tell(facts)
        newest = sorted(self._orders.values(), key=lambda each: each.requested_at, reverse=True)
        orders = Content("\n\n").join([order_lines(each) for each in newest[:4]])
        self.query_one("#orders", Notice).say(orders)
        self.query_one("#orders").display = bool(newest)

    def _who(self, session: Session) -> Content:
        """Return the two lines above the frame, where no session can write."""
        behind = self.pane.standing()
        over = session.state in (SessionState.LOST, SessionState.ENDED)
        state = state_line(session)
        token = f"state-{session.state}"
        if behind and not over:
            state, token = f"{glyphs.HOLLOW} {behind}", "state-connecting"
            if session.state is SessionState.PAUSED:
                state = f"{state_line(session)} {glyphs.SEPARATOR} {behind}"
        age = figures.age(
            ((session.ended_at or figures.now()) - session.started_at).total_seconds()
        )
        first = Content.assemble(
            (f" {state} ", f"bold reverse ${token}"),
            "  ",
            (visible(session.operator, 40), "bold $text-strong"),
            f" {glyphs.ARROW} ",
            (visible(str(session.account), 80), "bold $priv-account"),
            (f"  {age}", "$foreground"),
        )
        why = [
            visible(session.attention or "", 80),
            visible(session.reason or "", 120),
            visible(session.ticket or "", 40),
            f"watched by {visible(', '.join(session.watchers), 80)}" if session.watchers else "",
            standing(session.channels) if self.has_class("-narrow") else "",
            visible(session.id),
        ]
        text = f" {glyphs.SEPARATOR} ".join(piece for piece in why if piece)
        return Content("\n").join([first, Content.styled(f" {text}", "$text-quiet")])

    def go_back(self) -> None:
        """Go back to the list."""
        self.close()

    def link(self) -> str | None:
        """This session, as a link."""
        return f"psm://session/{self.session_id}"

    def action_shadow_channel(self) -> None:
        """Show the session's next channel."""
        session = self._session
        if session is None or len(session.channels) < 2:
            self.notify("This session has one channel.", markup=False)
            return
        shown = self._channel or channel_to_watch(session)
        numbers = [channel.number for channel in session.channels]
        at = numbers.index(shown.number) if shown and shown.number in numbers else -1
        self._channel = session.channels[(at + 1) % len(numbers)]
        self._show_screen()
        self._tell()

    def action_shadow_maximise(self) -> None:
        """Give the screen all the room, or give it back."""
        self.toggle_class("-maximised")

    def action_shadow_follow(self) -> None:
        """Let the crop follow the cursor again."""
        self.pane.frame.view.follow()

    def action_shadow_pan(self, right: int, down: int) -> None:
        """Move the crop."""
        self.pane.frame.view.pan(right, down)
