"""A live session in its frame, fed from its recording while that is being written."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.worker import Worker, WorkerState, get_current_worker

from psm_console.domain.session import Channel, Session, SessionState
from psm_console.domain.text import visible
from psm_console.operations.sessions import Watch

from . import figures, glyphs
from .feed import LiveFeed, News
from .frame import SessionFrame
from .workplace import Workplace

FRAME_S = 1 / 30
"""The time between two pictures: what comes faster is drawn together."""
TYPED_S = 1 / 60
"""The same after a picture in which only a few rows changed, as when somebody types."""
FEW_ROWS = 4


def channel_to_watch(session: Session) -> Channel | None:
    """Return the channel an analyst wants to see: the newest open terminal, else the newest."""
    order = sorted(
        session.channels,
        key=lambda channel: (channel.closed_at is None, channel.pty, channel.number),
    )
    return order[-1] if order else None


class SessionPane(Vertical):
    """Shows one live session's screen; `watch` changes which."""

    class Changed(Message):
        """Whether the picture is at the session's present, and as of when, has changed."""

    class Fed(Message):
        """New bytes are on the screen; any number of these make one picture."""

        def __init__(self, feed: LiveFeed, news: News) -> None:
            self.feed, self.news = feed, news
            super().__init__()

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SessionPane.Fed) and message.feed is self.feed

    def __init__(self, place: Workplace, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.place = place
        self.frame = SessionFrame()
        self.news: News | None = None
        self._feed: LiveFeed | None = None
        self._worker: Worker[None] | None = None
        self._watched: tuple[str, int] | None = None
        self._drawn = 0.0
        self._gap = TYPED_S
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Hold the frame."""
        yield self.frame

    def show(self, watch: Watch | None, session: Session | None, channel: Channel | None) -> None:
        """Show a session's channel, on the strength of `watch`; None shows nothing.

        `session` is what is known of it now: it may have another channel or state than when the
        watch began.
        """
        wanted = (watch.token, channel.number) if watch and session and channel else None
        if wanted != self._watched:
            self._stop()
            self._watched = wanted
            if watch is not None and session is not None and channel is not None:
                self._start(session, watch.folder / channel.file)
        self._entitle(session, channel)

    def _start(self, session: Session, file: Path) -> None:
        feed = LiveFeed(self.place.desk.home, session.id, file)
        self._feed = feed
        self._worker = self.run_worker(
            lambda: self._run(feed), thread=True, group="feed", exit_on_error=False
        )

    def _run(self, feed: LiveFeed) -> None:
        """Feed in a thread; everything that is found is told by message."""
        worker = get_current_worker()

        def report(news: News) -> None:
            self.post_message(self.Fed(feed, news))

        feed.run(report, lambda: worker.is_cancelled)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
        self._worker = self._feed = self.news = None
        self.frame.view.show(None, threading.Lock())

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say so when the thread fell over: an old picture must not pass for the present."""
        event.stop()
        if event.worker is self._worker and event.state is WorkerState.ERROR:
            before = self.news.at if self.news else 0.0
            reason = visible(str(event.worker.error), 100)
            fault = (
                f"the picture stopped at {figures.offset(before)} ({reason}); leave and come back"
            )
            self.told(News(before, fault=fault))

    def on_unmount(self) -> None:
        """Let the thread end."""
        self._stop()

    def on_session_pane_fed(self, event: Fed) -> None:
        """Draw at once when the last picture is old enough, else when it will be."""
        event.stop()
        if event.feed is not self._feed:
            return
        self.told(event.news)
        wait = self._gap - (time.monotonic() - self._drawn)
        if wait <= 0:
            self._draw()
        elif self._timer is None:
            self._timer = self.set_timer(wait, self._draw)

    def told(self, news: News) -> None:
        """Take over how far the picture is, and tell it when that is another thing than before."""
        before, self.news = self.news, news
        if before is None or news.standing != before.standing or news.behind:
            self.post_message(self.Changed())

    def _draw(self) -> None:
        self._timer = None
        self._drawn = time.monotonic()
        feed = self._feed
        if feed is None:
            return
        if feed.screen is not None and self.frame.view.watched is not feed.screen:
            self.frame.view.show(feed.screen, feed.lock)
        rows = self.frame.view.collect()
        self._gap = TYPED_S if rows <= FEW_ROWS else FRAME_S

    def _entitle(self, session: Session | None, channel: Channel | None) -> None:
        if session is None:
            self.frame.mark("", "")
            return
        standing = {SessionState.PAUSED: "paused", SessionState.LOST: "lost"}.get(
            session.state, "live"
        )
        who = f"{visible(session.operator, 24)} {glyphs.ARROW} {visible(str(session.account), 40)}"
        number = (
            f" {glyphs.SEPARATOR} channel {channel.number}"
            if len(session.channels) > 1 and channel
            else ""
        )
        self.frame.mark(standing, f"{who}{number}")

    def standing(self) -> str:
        """Return whether this is the present: `LIVE`, or how old the picture is."""
        if self._watched is None:
            return "no channel is open"
        if self.news is None:
            return "attaching"
        if self.news.fault is not None:
            return self.news.fault
        if self.news.behind:
            return f"catching up, as of {figures.offset(self.news.at)}"
        if self.news.inexact:
            return "drawn in part: too costly output was left out, the operator may see another"
        return ""
