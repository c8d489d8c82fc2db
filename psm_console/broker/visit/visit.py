"""A visit: one channel of an identity that came alone, and the process that serves it.

It is no session: there is no target, and nothing of it is recorded but that it was. The console
that runs is one like any other, with the visitor's roles, out of reach of keys.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Protocol

import asyncssh

from psm_console.domain.policy import Policy
from psm_console.domain.session import Size
from psm_console.domain.text import visible
from psm_console.operations.errors import PsmError
from psm_console.operations.visits import OpenVisit, VisitOrder, visitor_words
from psm_console.store import Home

from ..channel.channel_request import ChannelRequest
from ..channel.halves import STDERR, give
from ..channel.pace import Pace
from ..channel.valve import Valve
from ..notice import notices
from ..notice.tracker import TerminalTracker
from ..session.hangup import ENDED_STATUS
from .visit_process import ENVIRONMENT, Ends, VisitProcess, locale_of

log = logging.getLogger(__name__)

_PATIENCE_S = 1.0
"""How long a process may take to leave in order before it is killed."""
_RESIZE_S = 0.06
_TAIL = 4096
_CANCEL = b"\x18"
RESET = (
    b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l"
    b"\x1b[?2026l\x1b[?2048l\x1b[<u\x1b[?1l\x1b>\x1b[?7h\x1b[?25h\x1b[r\x1b[0m"
)
"""What a console asks of a terminal and takes back when it leaves, for one that can not."""


class VisitRefusedError(Exception):
    """A visit may not begin; the text is a sentence for the visitor."""

    def __init__(self, sentence: str, exit_code: int = 1) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class Host(Protocol):
    """Whom a visit is paid to."""

    @property
    def home(self) -> Home:
        """The home that is shown."""

    @property
    def policy(self) -> Policy:
        """What holds for visits that begin now."""

    def spawn(self, coroutine: Coroutine[object, object, object], name: str) -> None:
        """Run `coroutine` as a task that is kept and watched."""

    async def admit(self, words: tuple[str, ...]) -> OpenVisit:
        """Note the visit in the audit log, or raise `VisitRefusedError`."""

    def refused(self, what: str) -> None:
        """Have the audit log learn of what the visitor asked for in vain."""

    def over(self, visit: Visit, opened: OpenVisit | None, how: str, seconds: float) -> None:
        """A visit is over, and its channel closed or closing."""


class Visit:
    """The client's channel on one side, a process on the other; bytes pass as they come."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.request = ChannelRequest()
        self.closed = asyncio.Event()
        """The client's channel is gone."""
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._process: VisitProcess | None = None
        self._valve = Valve()
        self._started = False
        self._early: list[bytes] = []
        self._eof = False
        self._holds: set[str] = set()
        self._tail = b""
        self._why: str | None = None
        """Why it is ended before its process does so by itself."""
        self._touched = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._sizes = Pace(self._pass_size, _RESIZE_S)
        self._loop = asyncio.get_running_loop()

    @property
    def input(self) -> Visit:
        """Takes what the visitor sends."""
        return self

    @property
    def pty(self) -> bool:
        """Whether the client asked for a terminal."""
        return self.request.size is not None

    @property
    def pid(self) -> int | None:
        """The process, once there is one."""
        return None if self._process is None else self._process.pid

    # The client's side

    def operator_opened(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        """The client's channel is open; what it is for comes next."""
        self._channel = channel

    def ask(self, kind: str) -> Callable[[], None]:
        """Return what to do once the client was answered; every start is asked about there."""
        return self._start

    def sent(self, data: bytes) -> None:
        """Bytes from the client."""
        self._touched = self._loop.time()
        if self._process is not None:
            self._process.inlet.write(data)
        else:
            # What came with the request; the window bounds it.
            self._early.append(data)

    def ended(self) -> None:
        """The client will send no more."""
        self._eof = True
        if self._process is not None:
            self._process.inlet.end()

    def operator_resized(self, size: Size) -> None:
        """The client's window changed."""
        if self.pty:
            self.request.size = size
            self._sizes.ask()

    def operator_signalled(self, signal: str) -> None:
        """The client sent a signal."""
        if self._process is not None:
            self._process.send(signal)

    def operator_broke(self, milliseconds: int) -> bool:
        """The client sent a break, which means nothing here."""
        return False

    def operator_full(self) -> None:
        """The client reads too slowly: the process waits."""
        self.hold("client slow", True)

    def operator_drained(self) -> None:
        """The client reads again."""
        self.hold("client slow", False)

    def operator_closed(self) -> None:
        """The client's channel is gone."""
        self._channel = None
        self.closed.set()
        self._leave("the client left")
        if not self._started:
            self._host.over(self, None, "", 0.0)

    # What the broker orders

    def hold(self, reason: str, on: bool) -> None:
        """Read nothing of the process while there is a `reason`."""
        (self._holds.add if on else self._holds.discard)(reason)
        if self._process is not None:
            for outlet in self._process.outlets:
                (outlet.hold if on else outlet.release)(reason)

    def end(self, reason: str) -> None:
        """End the visit for its visitor, who reads why; nothing more of the console is shown."""
        if self._why is None:
            self._leave(reason)
            self._say(f"closed by the broker: {visible(reason, 300)}")
            self._exit(ENDED_STATUS)

    def _leave(self, why: str) -> None:
        """Have the process end, in order if it can."""
        self._why = self._why or why
        if self._process is not None:
            for outlet in self._process.outlets:
                outlet.drain()
            self._process.send("TERM")
            self._later("patience", _PATIENCE_S, self._process.send, "KILL")

    # The process

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        self._valve.hold("not started")
        if self._channel is not None:
            # asyncssh resumes reading right after this callback, so the hold must come after that.
            self._loop.call_soon(self._valve.attach, self._channel)
        self._host.spawn(self._run(), "visit")

    async def _run(self) -> None:
        began, opened, how = self._loop.time(), None, "refused"
        try:
            words = self._words()
            opened = await self._host.admit(words)
            how = await self._serve(words, opened)
        except VisitRefusedError as error:
            self._refuse(str(error), error.exit_code)
        except Exception:
            log.exception("a visit can not be served")
            how = "it could not be served"
            self._refuse("the console can not be started now; try again, or tell an admin", 1)
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._sizes.close()
            self._host.over(self, opened, how, self._loop.time() - began)

    def _words(self) -> tuple[str, ...]:
        if self.request.subsystem is not None:
            what = visible(self.request.subsystem, 32)
            self._host.refused(f"subsystem {what}")
            raise VisitRefusedError(
                f"there is no {what} here, only a console; for a target log in as "
                "OPERATOR+ACCOUNT@TARGET"
            )
        try:
            return visitor_words(self.request.command)
        except PsmError as error:
            self._host.refused(str(error))
            raise VisitRefusedError(str(error), error.exit_code) from None

    async def _serve(self, words: tuple[str, ...], opened: OpenVisit) -> str:
        """Run the process until it ends; return how it did."""
        policy = self._host.policy.console
        order = VisitOrder(
            home=str(self._host.home.root),
            identity=opened.actor.name,
            words=words,
            broker=os.getpid(),
            require_confinement=policy.require_confinement,
        )
        ends = Ends(self._output, self._errors, self._full)
        process = await VisitProcess.start(order, self.request.size, self._environment(), ends)
        try:
            self._attach(process, policy.idle_s)
            status = await process.wait()
            for outlet in process.outlets:
                await outlet.ended.wait()
        finally:
            self._process = None
            process.close()
        return self._done(status)

    def _attach(self, process: VisitProcess, idle_s: float) -> None:
        """Let bytes pass, from what came before there was a process on."""
        self._process = process
        for reason in list(self._holds):
            self.hold(reason, True)
        for data in self._early:
            process.inlet.write(data)
        self._early.clear()
        if self._eof:
            process.inlet.end()
        if self._why is not None:
            self._leave(self._why)
        self._watch_idle(idle_s)
        self._pass_size()
        self._valve.release("not started")

    def _done(self, status: int) -> str:
        if self._why is not None:
            return self._why
        if status >= 0:
            self._exit(status)
            return f"exit {status}"
        how = f"signal {signal.Signals(-status).name.removeprefix('SIG')}"
        self._say(
            f"the console was ended by {how}; the broker and all sessions go on: connect again"
        )
        self._exit(1)
        return how

    def _environment(self) -> dict[str, str]:
        given = locale_of(self.request.passed_on(ENVIRONMENT))
        return given | ({"TERM": self.request.term} if self.pty else {})

    def _output(self, data: bytes) -> None:
        if self.pty:
            self._tail = (self._tail + data)[-_TAIL:]
        self._give(data)

    def _errors(self, data: bytes) -> None:
        self._give(data, STDERR)

    def _full(self, full: bool) -> None:
        """The process reads too slowly, or reads again."""
        (self._valve.hold if full else self._valve.release)("process slow")

    def _pass_size(self) -> None:
        if self._process is not None and self.request.size is not None:
            self._process.resize(self.request.size)

    def _watch_idle(self, idle_s: float) -> None:
        self._touched = self._loop.time()
        if idle_s:
            self._later("idle", idle_s, self._look_if_idle, idle_s)

    def _look_if_idle(self, idle_s: float) -> None:
        left = self._touched + idle_s - self._loop.time()
        if left > 0:
            self._later("idle", left, self._look_if_idle, idle_s)
        else:
            self.end(f"no key was pressed for {idle_s:g} s")

    def _later(self, name: str, delay: float, act: Callable[..., None], *given: object) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._loop.call_later(delay, act, *given)

    # The last words

    def _refuse(self, sentence: str, status: int) -> None:
        self._give(notices.plain(sentence), STDERR)
        self._exit(status)

    def _say(self, sentence: str) -> None:
        if not self.pty:
            self._give(notices.plain(sentence), STDERR)
            return
        tracker = TerminalTracker()
        tracker.observe(self._tail)
        # CAN ends a sequence that was cut (ECMA-48); the sentence would be swallowed otherwise.
        cut = b"" if tracker.between_sequences else _CANCEL
        self._give(cut + RESET + b"\r\n" + notices.plain(sentence).rstrip(b"\n") + b"\r\n")

    def _give(self, data: bytes, datatype: int | None = None) -> None:
        if self._channel is not None:
            give(self._channel, data, datatype)

    def _exit(self, status: int) -> None:
        if self._channel is not None:
            self._channel.exit(status)
