"""What the target sends on a channel: recorded, then given to the operator, or withheld."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from psm_console.domain.effects import NoticeKind
from psm_console.domain.live import Gate
from psm_console.domain.session import Size
from psm_console.recording.live import screen_now
from psm_console.terminal import Screen

from ..notice import notices
from ..notice.announcer import Announcer
from ..notice.tracker import TerminalTracker
from .halves import STDERR, give
from .live_channel import LiveChannel
from .valve import Valve
from .withheld import Withheld


class OutputSide:
    """The bytes of one channel on their way from the target to the operator, and notices to them.

    `repaint` asks the target for a terminal of so many rows less, and so makes a program draw
    everything again.
    """

    def __init__(self, channel: LiveChannel, repaint: Callable[[int], None]) -> None:
        self._channel = channel
        self._session = channel.session
        self.valve = Valve()
        """Reading of the target's half."""
        self.withheld = Withheld()
        self._tracker = TerminalTracker()
        self._announcer = Announcer(self._tracker, self.write, repaint, self._screen)

    def sent(self, data: bytes, datatype: int | None) -> None:
        """Bytes from the target: recorded, then forwarded or withheld."""
        channel, session = self._channel, self._session
        gate = session.live.output_gate()
        if gate is Gate.SHUT or channel.recorder is None:
            return
        if datatype is None:
            data = channel.passage.said(data)
        at = session.at()
        take = channel.recorder.error if datatype == STDERR else channel.recorder.output
        if not session.recording().took(take, at, data):
            return
        channel.output_bytes += len(data)
        if gate is Gate.FORWARD:
            self._to_operator(data, datatype)
        else:
            self._withhold(data, datatype)
        session.output_seen(at, len(data))

    def deliver(self) -> None:
        """Send what was withheld, in order, and read the target again."""
        for data, datatype in self.withheld.take():
            self._to_operator(data, datatype)
        self.valve.release("withheld")

    def announce(self, kind: NoticeKind, by: str, text: str, discarded: int) -> None:
        """Tell the operator, at the next safe point of the output."""
        size, term = self._channel.request.size, self._channel.request.term
        said = notices.sentence(kind, by, text, pty=size is not None, discarded=discarded)
        if size is not None:
            stays, lifts = kind is NoticeKind.PAUSE, kind is NoticeKind.RESUME
            self._announcer.say(said, size, stays=stays, lifts=lifts, term=term)
        else:
            self.write(notices.plain(said), STDERR)

    def say_last(self, text: str) -> None:
        """Tell the operator how it ended, below whatever is on the screen."""
        if self._channel.pty:
            self.write(self._announcer.last(text, self._channel.request.term))
        else:
            self.write(notices.plain(text), STDERR)

    async def _screen(self) -> Screen | None:
        """Return the screen as recorded, if that is all that the operator was sent."""
        recorder, seen = self._channel.recorder, self._channel.output_bytes
        if recorder is None or self.withheld:
            return None
        screen = await asyncio.to_thread(screen_now, recorder.path)
        return screen if seen == self._channel.output_bytes else None

    def resized(self, size: Size) -> None:
        """The operator's window has another size."""
        self._announcer.resized(size)

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """Give the operator what is recorded, or is the broker's own."""
        if self._channel.operator is not None:
            give(self._channel.operator, data, datatype)

    def close(self) -> None:
        """Forget what waits: nobody is left to read it."""
        self._announcer.close()
        self.withheld.clear()

    def _to_operator(self, data: bytes, datatype: int | None) -> None:
        self.write(data, datatype)
        if self._channel.pty:
            self._tracker.observe(data)
            self._announcer.try_now()

    def _withhold(self, data: bytes, datatype: int | None) -> None:
        self.withheld.add(data, datatype)
        if self.withheld.size >= self._session.policy.limits.withheld_bytes:
            self.valve.hold("withheld")
