"""Replay: any instant of a recording, exactly as the operator saw it."""

from __future__ import annotations

import time
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.worker import Worker, WorkerState, get_current_worker

from psm_console.domain.text import visible
from psm_console.operations.actions import Scope
from psm_console.operations.errors import PsmError
from psm_console.recording.events import RecordingError
from psm_console.store.recordings import RecordingInfo

from . import figures, glyphs
from .acts import bindings
from .facts import FactPanel
from .frame import SessionFrame
from .ledger import standing
from .notice import Notice
from .playback import Playback
from .player import Picture, Player, Reel, Wish
from .recording_facts import marker_lines, recording_facts
from .room import Room
from .scrub_bar import ScrubBar, Tick, Timeline
from .workplace import Workplace

FRAME_S = 1 / 30


class ReplayScreen(Room):
    """Plays one recording; time is always the recording's own."""

    mode = "library"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.REPLAY)
    parts = ("#who", "#markers", "#facts")
    scopes = (Scope.REPLAY,)

    class Opening(Message):
        """How much of a long recording has been read for its index, from 0 to 1."""

        def __init__(self, share: float) -> None:
            self.share = share
            super().__init__()

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ReplayScreen.Opening)

    class Loaded(Message):
        """The recording is open, or can not be."""

        def __init__(self, reel: Reel | None, fault: str | None) -> None:
            self.reel, self.fault = reel, fault
            super().__init__()

    class Shown(Message):
        """Another picture is ready."""

        def __init__(self, picture: Picture) -> None:
            self.picture = picture
            super().__init__()

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, ReplayScreen.Shown)

    def __init__(self, place: Workplace, recording_id: str, at: float = 0.0) -> None:
        super().__init__(place)
        self.recording_id = recording_id
        self.playback = Playback()
        self._start = at
        self._info: RecordingInfo | None = None
        self._reel: Reel | None = None
        self.frame = SessionFrame(id="frame")
        self._bar = ScrubBar(id="bar")
        self._player: Player | None = None
        self._fault: str | None = None
        self._verdict = ""
        self._share = 0.0
        self._channel: int | None = None
        self._ticked = time.monotonic()

    def body(self) -> ComposeResult:
        """Who above; the screen, markers beside it; the bar below."""
        yield Notice(id="who")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.frame
            with Vertical(id="right"):
                yield Notice(id="markers")
                yield FactPanel("Who and why", id="facts")
        yield self._bar

    def on_mount(self) -> None:
        """Have the look noted, then open the recording in a thread."""
        self._tell()
        self.start(self._open, group="open")
        self.set_interval(FRAME_S, self._tick)
        self.set_interval(1.0, self.tell_chrome)

    async def _open(self) -> None:
        try:
            opened = await self.place.desk.open_recording(self.recording_id)
        except PsmError as error:
            self._fault = str(error)
            self._tell()
            return
        self._info, self.recording_id = opened.info, opened.info.id
        player = self._player = Player(opened.folder)
        self.run_worker(lambda: self._run(player), thread=True, group="player", exit_on_error=False)
        self.start(partial(self._verify, opened.info), group="verify")
        self._tell()

    def _run(self, player: Player) -> None:
        """Make pictures in a thread; everything that is found is told by message."""
        worker = get_current_worker()

        def progress(share: float) -> None:
            if worker.is_cancelled:
                raise RecordingError("the recording was left before it was open")
            self.post_message(self.Opening(share))

        def loaded(reel: Reel | None, fault: str | None) -> None:
            self.post_message(self.Loaded(reel, fault))

        def shown(picture: Picture) -> None:
            self.post_message(self.Shown(picture))

        player.run(loaded, shown, progress)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say so when the thread fell over."""
        if event.worker.group == "player" and event.state is WorkerState.ERROR:
            reason = visible(str(event.worker.error), 100)
            self._fault = f"the replay stopped ({reason}); leave and come back"
            self._tell()

    async def _verify(self, info: RecordingInfo) -> None:
        try:
            word, detail = await self.place.desk.verify(info.id)
            self._verdict = f"{word} {detail}".strip()
        except PsmError as error:
            self._verdict = str(error)
        self._tell()

    def on_unmount(self) -> None:
        """Let the thread end."""
        if self._player is not None:
            self._player.close()

    def on_replay_screen_opening(self, event: Opening) -> None:
        """Tell how far the reading is."""
        self._share = event.share
        self._tell_time()

    def on_replay_screen_loaded(self, event: Loaded) -> None:
        """Take over the recording's times, and show where it was asked for."""
        self._fault = event.fault
        reel = self._reel = event.reel
        if reel is not None:
            title = f"Markers {glyphs.SEPARATOR} {len(reel.markers)}"
            self.query_one("#markers", Notice).border_title = Content(title)
            self.playback = Playback(
                reel.duration, reel.idle, [marker.at for marker in reel.markers]
            )
            ticks = [Tick(marker.at, marker.weight) for marker in reel.markers]
            self._bar.show(Timeline(reel.duration, reel.idle, ticks, reel.activity))
            self._seek(self._start)
        self._tell()

    def on_replay_screen_shown(self, event: Shown) -> None:
        """Draw the picture."""
        player, picture = self._player, event.picture
        if player is None:
            return
        view = self.frame.view
        if view.watched is not picture.screen:
            view.show(picture.screen, player.lock)
        view.collect()
        if picture.wish.step:
            self.playback.seek(picture.at)
            self._bar.move(picture.at)
            self._tell_time()

    def _tick(self) -> None:
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        if self.playback.playing and self.is_current:
            self.playback.advance(min(passed, 0.5))
            self._go()

    def _seek(self, at: float) -> None:
        self.playback.seek(at)
        self._go()

    def _go(self) -> None:
        if self._player is not None:
            self._player.go(Wish(self.playback.at, self._channel))
        self._bar.move(self.playback.at)
        self._tell_time()

    def _tell(self) -> None:
        if not self.laid_out:
            return
        self._tell_time()
        info, reel = self._info, self._reel
        if info is not None:
            operator = visible(info.session.operator, 24)
            who = f"{operator} {glyphs.ARROW} {visible(str(info.session.account), 40)}"
            self.frame.mark("", who)
            self.query_one(FactPanel).tell(recording_facts(info, self._verdict))
        if reel is not None:
            self._tell_markers(reel)

    def _tell_markers(self, reel: Reel) -> None:
        panel = self.query_one("#markers", Notice)
        width, height = panel.size.width, max(panel.size.height, 6)
        panel.say(marker_lines(reel.markers, self.playback.at, width, height))

    def _tell_time(self) -> None:
        if not self.laid_out:
            return
        self.query_one("#who", Notice).say(Content("\n").join([self._clock(), self._about()]))
        if self._reel is not None:
            self._tell_markers(self._reel)

    def _clock(self) -> Content:
        play = self.playback
        if self._fault is not None:
            return Content.styled(f" {glyphs.BAD} {visible(self._fault)} ", "bold $outcome-failed")
        if self._reel is None:
            return Content.styled(
                f" Opening the recording… {self._share:.0%} ", "bold $outcome-pending"
            )
        sign, word = (glyphs.PLAY, "playing") if play.playing else (glyphs.STOP, "stopped")
        token = "state-active" if play.playing else "state-ended"
        skips = "idle skipped" if play.skipping else "idle played"
        state = f" {glyphs.SEPARATOR} in an idle span" if play.idle_span() else ""
        return Content.assemble(
            (f" {sign} {word} ", f"bold reverse ${token}"),
            (f"  {figures.offset(play.at)}", "bold $text-strong"),
            (f" / {figures.offset(play.duration)}", "$foreground"),
            (f"  {play.speed:g}{glyphs.TIMES}", "bold $key"),
            (f"  {skips}{state}", "$text-quiet"),
        )

    def _about(self) -> Content:
        info = self._info
        if info is None:
            return Content.styled(f" {visible(self.recording_id, 60)}", "$text-quiet")
        words = [
            figures.day(info.opened_at),
            visible(info.session.reason or "", 80),
            visible(info.session.ticket or "", 40),
            visible(self._verdict, 60),
            standing(info.session.channels) if self.has_class("-narrow") else "",
            info.id,
        ]
        text = f" {glyphs.SEPARATOR} ".join(word for word in words if word)
        return Content.styled(f" {text}", "$text-quiet")

    @on(ScrubBar.Sought)
    def _sought(self, event: ScrubBar.Sought) -> None:
        event.stop()
        self._seek(event.at)

    def go_back(self) -> None:
        """Go back to the library."""
        self.close()

    def link(self) -> str | None:
        """This instant, as a link."""
        return f"psm://session/{self.recording_id}@{self.playback.at:.1f}"

    def action_replay_play(self) -> None:
        """Play or stop."""
        self.playback.toggle()
        self._ticked = time.monotonic()
        self._go()

    def action_replay_seek(self, seconds: float) -> None:
        """Go back or on by seconds."""
        self._seek(self.playback.at + seconds)

    def action_replay_leap(self, percent: int) -> None:
        """Go back or on by a share of the whole."""
        self._seek(self.playback.at + self.playback.duration * percent / 100)

    def action_replay_start(self) -> None:
        """Go to the beginning."""
        self._seek(0.0)

    def action_replay_end(self) -> None:
        """Go to the end."""
        self._seek(self.playback.duration)

    def action_replay_tenth(self, tenth: int) -> None:
        """Go to n tenths of the whole."""
        self._seek(self.playback.duration * tenth / 10)

    def action_replay_speed(self, steps: int) -> None:
        """Faster or slower."""
        self.playback.change_speed(steps)
        self._tell_time()

    def action_replay_marker(self, direction: int) -> None:
        """Go to the next marker, or the one before."""
        if self.playback.jump(direction):
            self._go()
        else:
            where = "behind" if direction > 0 else "before"
            self.notify(f"There is no marker {where} this instant.", markup=False)

    def action_replay_idle(self) -> None:
        """Skip idle spans, or play them."""
        self.playback.skipping = not self.playback.skipping
        self._tell_time()

    def action_replay_channel(self) -> None:
        """Show the recording's next channel."""
        numbers = list(self._reel.channels) if self._reel else []
        if len(numbers) < 2:
            self.notify("This recording has one channel.", markup=False)
            return
        at = numbers.index(self._channel) if self._channel in numbers else 0
        self._channel = numbers[(at + 1) % len(numbers)]
        self.notify(f"Channel {self._channel}", markup=False)
        self._go()

    def action_replay_step(self, direction: int) -> None:
        """One change of the screen on, or back."""
        self.playback.playing = False
        if self._player is not None:
            self._player.go(Wish(self.playback.at, self._channel, direction))

    async def action_recording_verify(self) -> None:
        """Check signatures and hashes again."""
        if self._info is not None:
            self._verdict = ""
            self._tell()
            self.start(partial(self._verify, self._info), group="verify")

    def action_replay_pan(self, right: int, down: int) -> None:
        """Move the crop."""
        self.frame.view.pan(right, down)

    def action_replay_follow(self) -> None:
        """Let the crop follow the cursor again."""
        self.frame.view.follow()

    def action_replay_maximise(self) -> None:
        """Give the screen all the room, or give it back."""
        self.toggle_class("-maximised")
