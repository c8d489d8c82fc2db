"""The application: rooms, themes, the one reader of the store, the gates before the terminal."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.command import Provider
from textual.filter import LineFilter, Monochrome
from textual.theme import BUILTIN_THEMES

from psm_console.domain.inventory import Identity
from psm_console.domain.pause import unwatched
from psm_console.domain.session import LIVE_STATES, Session, SessionState
from psm_console.domain.supervision import unsupervised
from psm_console.domain.text import visible
from psm_console.operations.actions import Scope
from psm_console.operations.errors import PsmError
from psm_console.operations.holding import RENEW_S
from psm_console.store import Home

from .acts import bindings
from .desk import Desk
from .help import HelpScreen
from .library import LibraryScreen
from .line_filter import Colourless, HostileText
from .link import Link
from .live import LiveScreen
from .palette import Acts
from .replay import ReplayScreen
from .room import Room
from .shadow import ShadowScreen
from .themes import DEFAULT_THEME, TOKENS, ThemeSet, load_themes, stamps, theme_folders
from .workplace import Workplace

OVERVIEW_S = 0.2
"""The time between two readings of the store, however often its bell rings."""
THEMES_S = 1.0
_WATCHED = LIVE_STATES | {SessionState.LOST}


class ConsoleApp(App[int]):
    """The console of one home, for one person."""

    TITLE = "psm"
    CSS_PATH = "console.tcss"
    COMMANDS: ClassVar[set[type[Provider]]] = {Acts}  # type: ignore[assignment]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.GLOBAL)
    ALLOW_SELECT = False
    NOTIFICATION_TIMEOUT = 6

    def __init__(
        self,
        home: Home,
        actor: Identity,
        *,
        read_only: bool = False,
        link: Link | None = None,
        invitation: str = "",
        environ: Mapping[str, str] | None = None,
        theme_places: Sequence[Path] | None = None,
    ) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._hostile_text = HostileText(ascii_only=not speaks_unicode(self._environ))
        super().__init__()
        self.no_color = self.no_color or has_no_colours(self._environ)
        self._colourless = Colourless()
        self._theme_folders = tuple(theme_places or theme_folders(self._environ))
        self._theme_stamps = stamps(self._theme_folders)
        self._themes = ThemeSet({}, ())
        self.place = Workplace(Desk(home, actor, read_only=read_only), actor, read_only)
        self.place.invitation = visible(invitation, 100)
        self._link = link
        self._leaving = False
        self._take_themes()

    # The gates.

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Put the filter of hostile text last, behind whatever else changes a line."""
        others = [each for each in super().get_line_filters() if not isinstance(each, Monochrome)]
        if self.no_color:
            others.append(self._colourless)
        return [*others, self._hostile_text]

    def _set_pointer_shape(self, shape: str) -> None:
        """Off: Textual would send OSC 22, and a console that sends no OSC can be checked for it."""

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Off: a picture of somebody's session must not lie about in a file."""

    def action_suspend_process(self) -> None:
        """Off: a console in the background watches nothing and looks as if it did."""

    def action_help_quit(self) -> None:
        """Say how to leave; ^c is too near to what one types into a shell."""
        self.notify("q leaves the console; sessions go on.", markup=False)

    # Themes.

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Declare our own tokens, with the colours of the default theme."""
        return dict(TOKENS)

    def _take_themes(self) -> None:
        self._themes = load_themes(self._theme_folders)
        for loaded in self._themes.themes.values():
            self.register_theme(loaded.theme)
        if DEFAULT_THEME in self._themes.themes and self.theme in BUILTIN_THEMES:
            self.theme = DEFAULT_THEME
        if self._themes.themes:
            for name in set(BUILTIN_THEMES) & set(self.available_themes) - {self.theme}:
                self.unregister_theme(name)

    def _tell_theme_faults(self) -> None:
        for fault in self._themes.faults:
            self.notify(fault, severity="warning", markup=False, timeout=10)

    def _look_for_themes(self) -> None:
        """Load the themes again when a file changed; a bad one leaves the old in force."""
        found = stamps(self._theme_folders)
        if found == self._theme_stamps:
            return
        self._theme_stamps = found
        self._take_themes()
        self._tell_theme_faults()
        self.refresh_css(animate=False)
        self._theme_changed()

    def watch_theme(self, theme: str) -> None:
        """Draw anew what is drawn by hand."""
        self._theme_changed()

    def _theme_changed(self) -> None:
        loaded = self._themes.themes.get(self.theme)
        wants_ascii = loaded is not None and loaded.glyphs == "ascii"
        self._hostile_text.ascii_only = wants_ascii or not speaks_unicode(self._environ)
        self.call_after_refresh(self._redraw_rooms)

    def _redraw_rooms(self) -> None:
        for room in self._rooms():
            room.theme_changed()

    def action_choose_theme(self) -> None:
        """Choose the colours."""
        self.search_themes()

    # Rooms.

    def _rooms(self) -> list[Room]:
        stacks = self._screen_stacks.values()
        rooms = [screen for stack in stacks for screen in stack if isinstance(screen, Room)]
        return [room for room in rooms if room.laid_out]

    async def on_mount(self) -> None:
        """Open the rooms, and what the link names on top."""
        self.add_mode("live", lambda: LiveScreen(self.place))
        self.add_mode("library", lambda: LibraryScreen(self.place))
        await self.switch_mode("live")
        self._start(self._follow_store, "store")
        self.set_interval(RENEW_S, self.place.desk.keep_holds)
        self.set_interval(THEMES_S, self._look_for_themes)
        self.call_after_refresh(self._tell_theme_faults)
        if self._link is not None:
            self._start(partial(self._open_link, self._link), "link")

    def _start(self, work: Callable[[], Awaitable[None]], group: str) -> None:
        self.run_worker(work, group=group)

    async def _open_link(self, link: Link) -> None:
        """Shadow what is live; replay what is over, or what an instant of is meant."""
        try:
            session = await self.place.desk.session(link.session)
        except PsmError as error:
            self.notify(visible(str(error)), severity="error", markup=False, timeout=10)
            return
        if session.state in _WATCHED and link.at is None:
            await self.push_screen(ShadowScreen(self.place, session.id))
        else:
            await self.switch_mode("library")
            await self.push_screen(ReplayScreen(self.place, session.id, link.at or 0.0))

    async def _follow_store(self) -> None:
        """Read the store whenever it changed, at most five times a second."""
        import asyncio

        async with aclosing(self.place.desk.changes()) as changes:
            async for _ in changes:
                await self._read_overview()
                await asyncio.sleep(OVERVIEW_S)

    async def _read_overview(self) -> None:
        place = self.place
        before = (place.sessions, place.broker, place.store_fault)
        try:
            overview = await place.desk.overview()
        except PsmError as error:
            place.store_fault = str(error)
        else:
            place.store_fault = None
            self._alert(overview.sessions)
            place.sessions, place.broker = overview.sessions, overview.broker
            if overview.broker or place.as_of is None:
                place.as_of = overview.at
        if (place.sessions, place.broker, place.store_fault) != before or not before[0]:
            for room in self._rooms():
                room.overview_changed()
                room.tell_chrome()

    def _alert(self, sessions: Sequence[Session]) -> None:
        """Say aloud that a pause has lost who held it, unless it was so when we came.

        Or that a supervised session waits for somebody who watches it.
        """
        known = {each.id: each for each in self.place.sessions}
        for each in sessions:
            before = known.get(each.id)
            alone, waits = unwatched(each), unsupervised(each)
            if before is None:
                # One that begins by waiting is news too.
                new = waits and self.place.as_of is not None
            else:
                new = (alone and not unwatched(before)) or (waits and not unsupervised(before))
            if new:
                what = "nobody holds the pause: resume it, hold it, or end it."
                if waits:
                    what = "waits for a supervisor who watches: shadow it, then resume, or end it."
                self.bell()
                self.notify(
                    f"{visible(each.operator)} on {visible(str(each.account))} is paused and "
                    f"{what}",
                    severity="warning",
                    markup=False,
                    timeout=30,
                )

    async def on_unmount(self) -> None:
        """Close the store."""
        await self.place.desk.close()

    # Acts that work anywhere.

    async def action_room(self, mode: str) -> None:
        """Go to a room, and to its first screen."""
        await self.switch_mode(mode)

    def action_app_help(self) -> None:
        """Show what every key does here."""
        room = self.screen
        here = room.scopes if isinstance(room, Room) else ()
        self.push_screen(HelpScreen(here))

    async def action_back(self) -> None:
        """Close what is on top."""
        if isinstance(self.screen, Room):
            self.screen.go_back()

    def action_leave(self) -> None:
        """Leave the console; sessions go on. A pause that it holds is worth a second thought."""
        holding = self.place.desk.holding
        if holding and not self._leaving:
            self._leaving = True
            pauses = "a pause" if holding == 1 else f"{holding} pauses"
            self.notify(
                f"This console holds {pauses}. q again leaves: the operator stays paused, and "
                "the others are told that nobody holds it.",
                severity="warning",
                markup=False,
            )
            return
        self.exit(0)

    def action_copy_link(self) -> None:
        """Put a link to what is shown on the clipboard, if the terminal lets us."""
        room = self.screen
        link = room.link() if isinstance(room, Room) else None
        if link is None:
            self.notify("There is nothing here to link to.", severity="warning", markup=False)
            return
        parsed = Link.parse(link)
        if parsed is None:
            self.notify("This id can not stand in a link.", severity="warning", markup=False)
            return
        self.copy_to_clipboard(str(parsed))
        self.notify(f"Copied {parsed}", markup=False)


def speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale can carry our signs; one that nobody set is taken to."""
    wanted = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "utf-8"
    return "utf" in wanted.casefold()


def has_no_colours(environ: Mapping[str, str]) -> bool:
    """Whether the terminal has none, or its user wants none (no-color.org)."""
    term = environ.get("TERM", "")
    return bool(environ.get("NO_COLOR")) or term.startswith("vt") or term.endswith(("-m", "-mono"))
