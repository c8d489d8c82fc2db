"""What every full screen of the console has: top line, banner, footer, and the limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from psm_console.domain.text import visible
from psm_console.operations.actions import Scope

from .notice import Notice
from .top_bar import TopBar
from .workplace import Workplace

SMALLEST = (80, 24)
WIDE = 110
"""Columns from which on there is room for something beside the list."""
VAST = 170


class Room(Screen[None]):
    """A screen with our frame around it; a subclass fills `body`."""

    mode = ""
    """Which tab is lit."""
    parts: tuple[str, ...] = ()
    """The parts that must be there before anything can be told."""
    scopes: tuple[Scope, ...] = ()
    """Which acts work here, beside those that work anywhere."""

    def __init__(self, place: Workplace) -> None:
        super().__init__()
        self.place = place

    def compose(self) -> ComposeResult:
        """Lay out top line, banner, body and footer."""
        yield TopBar(self.mode)
        yield Notice(id="banner", classes="-hidden")
        yield from self.body()
        yield Static(id="too-small")
        yield Footer(compact=True, show_command_palette=False)

    def body(self) -> ComposeResult:
        """Yield what is between the top line and the footer."""
        yield from ()

    def on_mount(self) -> None:
        """Show what is known already."""
        self.tell_chrome()

    def on_resize(self, event: events.Resize) -> None:
        """Say so when there is no room to work in; come back when there is."""
        width, height = event.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(small, "-too-small")
        self.set_class(width < WIDE, "-narrow")
        self.set_class(width >= VAST, "-vast")
        if small:
            self.query_one("#too-small", Static).update(
                Content(
                    f"The console needs {SMALLEST[0]} columns and {SMALLEST[1]} rows; this "
                    f"terminal has {width} and {height}.\n\nMake it larger and it goes on; "
                    "sessions and recordings are not touched. q quits."
                )
            )

    def start(
        self, work: Callable[[], Awaitable[None]], *, group: str, exclusive: bool = False
    ) -> None:
        """Run a coroutine function beside the screen, as long as the screen lives."""
        self.run_worker(work, group=group, exclusive=exclusive)

    def tell_chrome(self) -> None:
        """Show the newest figures in the top line and the banner."""
        for bar in self.query(TopBar):
            bar.show(self.place.tabs(), self.place.standing())
        fault = self.place.fault()
        for banner in self.query("#banner").results(Notice):
            banner.set_class(fault is None, "-hidden")
            banner.say(Content(visible(fault or "")))

    @property
    def laid_out(self) -> bool:
        """Whether the parts are there: not before the first layout, and no more when closing."""
        return all(self.query(part) for part in self.parts)

    @property
    def in_view(self) -> bool:
        """Whether somebody can see this room: in front, or with nothing but dialogs before it."""
        stack = self.app.screen_stack
        return self in stack and all(each.is_modal for each in stack[stack.index(self) + 1 :])

    def close(self) -> None:
        """Leave this room, unless it was left already or something stands before it."""
        if self.is_current:
            self.dismiss()

    def overview_changed(self) -> None:
        """Take what is newly known of live sessions; called on a tick, only when it changed."""

    def go_back(self) -> None:
        """Close this screen, or undo what narrows it."""

    def link(self) -> str | None:
        """Return the link to what is shown, or None when there is nothing."""
        return None

    def theme_changed(self) -> None:
        """Draw by hand what is drawn by hand, in the new theme."""
        for widget in self.query("*").results(Widget):
            forget = getattr(widget, "forget_styles", None)
            if forget is not None:
                forget()
            else:
                widget.refresh()

    def on_top_bar_chosen(self, event: TopBar.Chosen) -> None:
        """Go to another room."""
        self.app.switch_mode(event.mode)
