"""Replay while a key is held: `python -m bench.replay_scrub [--megabytes 80]`.

Makes an hour's recording of 120×40, opens it in a real console, and presses → and then ← thirty
times a second, as a keyboard repeats them: 5 seconds of the recording each. A press counts from
the instant it was due, whether or not the loop was free to take it, until the console has painted a
picture at that press's instant or beyond; a picture that a newer press has overtaken is not made.
CPU time of the whole process stands beside the clock's, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from textual import events
from textual.message import Message

from bench.figures import spread
from bench.recording_material import COLUMNS, ROWS, output
from psm_console.console.app import ConsoleApp
from psm_console.console.player import Picture
from psm_console.console.replay import ReplayScreen
from tests.console.driving import ENVIRON
from tests.console.stage import Stage
from tests.support.waiting import eventually

DURATION_S = 3600.0
PRESSES_PER_S = 30
STEP_S = 5.0
"""What one press of an arrow moves."""
SESSION = "s-bench"


@dataclass(slots=True)
class Pictures:
    """When which instant of the recording was painted."""

    app: ConsoleApp
    newest: Picture | None = None
    painted: list[tuple[float, float]] = field(default_factory=list)
    """By the clock, and in the recording; seconds."""

    def hook(self, message: Message) -> None:
        """See every message as it is about to be handled; wait for the paint after a picture."""
        if not isinstance(message, ReplayScreen.Shown):
            return
        if message.picture is not self.newest:  # it bubbles up, and is seen there again
            self.newest = message.picture
            self.app.screen.call_after_refresh(self._note, message.picture.at)

    def _note(self, at: float) -> None:
        self.painted.append((time.perf_counter(), at))


def make(stage: Stage, size: int) -> None:
    """Record `size` bytes in a session of the stage, and close it."""
    session = stage.session(SESSION, size=(COLUMNS, ROWS))
    channel = session.channel
    for chunk in output(size * 4):
        if channel.offset >= size:
            break
        channel.output(DURATION_S * channel.offset / size, chunk)
    session.marks("the end", after=DURATION_S)
    session.ends()


async def hold(app: ConsoleApp, key: str, presses: int) -> list[tuple[float, float]]:
    """Press `key` again and again; return when each press was due and where it leads."""
    screen = app.screen
    assert isinstance(screen, ReplayScreen)
    start, at = time.perf_counter(), screen.playback.at
    step = STEP_S if key == "right" else -STEP_S
    due = []
    for number in range(presses):
        moment = start + number / PRESSES_PER_S
        await asyncio.sleep(max(moment - time.perf_counter(), 0.0))
        app.post_message(events.Key(key, None))
        due.append((moment, at + step * (number + 1)))
    return due


def judge(due: list[tuple[float, float]], painted: list[tuple[float, float]]) -> list[float]:
    """Return for each press the milliseconds until its instant, or one beyond it, was painted."""
    forward = due[-1][1] > due[0][1]
    waits, shown = [], iter(painted)
    clock, at = next(shown)
    for moment, target in due:
        while clock < moment or (at < target - 1e-6 if forward else at > target + 1e-6):
            clock, at = next(shown)
        waits.append((clock - moment) * 1e3)
    return waits


def most_in_flight(due: list[tuple[float, float]], waits: list[float]) -> int:
    """Return how many presses were due and not painted at the worst instant."""
    ends = [moment + wait / 1e3 for (moment, _), wait in zip(due, waits, strict=True)]
    return max(
        sum(begun <= moment < end for (begun, _), end in zip(due, ends, strict=True))
        for moment, _ in due
    )


async def scrub(stage: Stage, seconds: float) -> None:
    """Open the replay and hold each arrow."""
    app = ConsoleApp(stage.home, stage.actor, environ=ENVIRON)
    pictures = Pictures(app)
    async with app.run_test(size=(190, 48), message_hook=pictures.hook) as pilot:
        begun = time.perf_counter()
        await pilot.press("2")
        await eventually(lambda: "Recordings · 1" in _text(app), within_s=60, what="the library")
        await pilot.press("enter")
        await eventually(lambda: isinstance(app.screen, ReplayScreen), what="the replay")
        await eventually(lambda: pictures.painted, within_s=300, what="the first picture")
        print(f"library, index and first picture: {time.perf_counter() - begun:.1f} s")
        for key in ("right", "left"):
            pictures.painted.clear()
            spent = time.process_time()
            due = await hold(app, key, round(seconds * PRESSES_PER_S))
            end = due[-1][1]
            await eventually(lambda end=end: pictures.painted[-1][1] == end, what="the last press")  # type: ignore[misc]
            spent = time.process_time() - spent
            waits = judge(due, pictures.painted)
            print(spread(f"{key}, from the press to its picture", waits))
            print(
                f"{'':<6}{len(pictures.painted)} pictures for {len(due)} presses,"
                f" {most_in_flight(due, waits)} presses in flight at worst,"
                f" {spent / len(due) * 1e3:.1f} ms of CPU a press"
            )


def _text(app: ConsoleApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def main() -> None:
    """Make the recording and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=80)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each key is held")
    options = parser.parse_args()
    longest = DURATION_S / STEP_S / PRESSES_PER_S
    if not 0 < options.seconds <= longest:
        parser.error(f"the recording ends after {longest:g} s of a held key; give fewer seconds")
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        try:
            make(stage, options.megabytes << 20)
            asyncio.run(scrub(stage, options.seconds))
        finally:
            stage.close()


if __name__ == "__main__":
    main()
