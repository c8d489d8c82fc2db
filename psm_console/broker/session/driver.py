"""Performs what the live session decides: the only code that holds the writers of its channels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Protocol, assert_never

import asyncssh

from psm_console.domain import effects as fx
from psm_console.domain.events import (
    ChannelAsked,
    ChannelClosed,
    ChannelFaulted,
    ConnectionLost,
    Event,
    Finished,
    Leg,
    RecorderFailed,
    Stopped,
    TargetOpened,
    TargetRefused,
    Ticked,
)
from psm_console.domain.forwards import ForwardAsked, ForwardRules
from psm_console.domain.inventory import Account, Target
from psm_console.domain.live import BROKER, CHANNELS, LiveSession
from psm_console.domain.names import SessionId
from psm_console.domain.policy import Policy
from psm_console.domain.session import Held, Outcome, Session, SessionState
from psm_console.recording.writer import SessionRecorder

from ..channel.coupling import Coupling
from ..channel.forward import ForwardRelay
from ..channel.guard import RecordingGuard
from ..channel.live_channel import LiveChannel
from ..channel.opening import record
from ..channel.relay import Relay
from ..descriptors import CROWDED_CHANNEL
from ..entry.keyring import Proof
from ..entry.moment import elapsed
from ..ssh import target as target_leg
from ..ssh.wire import watch_wire
from .bundle import Bundle
from .hangup import HangUp
from .journal import Journal
from .meter import Meter

log = logging.getLogger(__name__)

_NO_WIRE: frozenset[Leg] = frozenset()
_GAP_S = 10.0
"""Between two looks after a session, that are a second apart: more means that all stood still."""
_UNASKED = 4
"""Channels past the limit that may open, to be refused with a sentence by the gate."""


class CrowdedError(Exception):
    """No further channel can be opened; the text is a sentence."""


class Surroundings(Protocol):
    """What a driver needs of the worker it runs in."""

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str) -> None:
        """Run `coroutine` as a task that is kept, named and watched."""

    def appended(self, session: SessionId) -> None:
        """Wake whoever watches `session`: its recording has grown."""

    def refused(self, action: str, who: str, detail: str, session: SessionId) -> None:
        """Have the audit log learn that the operator of `session` was refused something."""

    def has_room_for_channel(self) -> bool:
        """Whether a live session may open one more channel."""

    def need_space(self) -> None:
        """Give back the disk space that was kept for ends."""

    def over(self, driver: SessionDriver) -> None:
        """Forget a session that has ended."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What a driver is told about the session it drives."""

    session: Session
    target: Target
    account: Account
    policy: Policy
    proof: Proof
    grant_expires_at: float | None = None
    """Seconds from the session's start."""
    supervised: bool = False
    """Whether it works only while a supervisor watches."""


class SessionDriver:
    """One live session: its two legs, its recorder, its row in the store."""

    def __init__(
        self,
        brief: Brief,
        operator: asyncssh.SSHServerConnection,
        recorder: SessionRecorder,
        journal: Journal,
        around: Surroundings,
    ) -> None:
        self.brief = brief
        self.session = brief.session
        self.policy = brief.policy
        self.operator = operator
        self.recorder = recorder
        self.journal = journal
        self.target: asyncssh.SSHClientConnection | None = None
        self.live = LiveSession(
            brief.session.operator, brief.policy.limits, brief.grant_expires_at, brief.supervised
        )
        self.relays: dict[int, Coupling] = {}
        self._meter = Meter(journal, self.relays)
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._began = self._ticked = elapsed()
        self._guard = RecordingGuard(self._recorder_failed)
        self._numbers = 0
        self._hanging_up = False
        self.full_wires = _NO_WIRE
        """The legs whose connection takes nothing more at the moment."""
        self._alarm: asyncio.TimerHandle | None = None
        self._set_alarm()

    def at(self) -> float:
        """Seconds since the session began, on a clock that nobody sets and no sleep stops."""
        return elapsed() - self._began

    def spawn(self, coroutine: Coroutine[Any, Any, object], name: str) -> None:
        """Run `coroutine` beside the session."""
        self._around.spawn(coroutine, f"{self.session.id} {name}")

    def recording(self) -> RecordingGuard:
        """Guard a call to the recorder: fail closed."""
        return self._guard

    def handle(self, event: Event) -> None:
        """Let the live session decide about `event`, and do what it says before returning."""
        effects = self.live.handle(event)
        try:
            self._perform(effects)
        except Exception:
            log.exception("%s: %s was not carried out", self.session.id, type(event).__name__)
            self._give_up()
        self._set_alarm()

    def _give_up(self) -> None:
        """End the session after a mistake of ours, step by step, whichever of them goes wrong."""
        for effect in self.live.handle(Stopped(self.at(), "the broker made a mistake")):
            try:
                self._do(effect)
            except Exception:
                log.exception("%s: ending it goes wrong too", self.session.id)
        if self.live.state is SessionState.ENDING and not self._hanging_up:
            self._do(fx.Hangup("the broker made a mistake", BROKER))
        self.journal.flush()

    # The session's course

    async def open_target(self) -> None:
        """Open the target leg; raise `TargetRefusedError` when that can not be."""
        try:
            self.target = await target_leg.connect(
                self.brief.target, self.brief.account, self._target_lost
            )
        except target_leg.TargetRefusedError as error:
            self.handle(TargetRefused(self.at(), str(error)))
            raise
        watch_wire(self.target, self.target_wire)
        self.handle(TargetOpened(self.at()))
        if self.live.state not in (SessionState.ACTIVE, SessionState.PAUSED):
            self.target.abort()

    def new_relay(self) -> Relay:
        """Return the relay of a channel that the client opens; raise `CrowdedError` past the cap.

        The gate counts what was asked for; channels that never ask for anything cost memory too.
        """
        relay = Relay(self, self._next_number())
        self.relays[relay.channel.number] = relay
        return relay

    async def open_forward(self, asked: ForwardAsked) -> ForwardRelay:
        """Return the relay of a forward whose target half is open.

        Raises `CrowdedError` or `NotForwardedError`.
        """
        relay = ForwardRelay(self, self._next_number(), asked)
        self.relays[relay.channel.number] = relay
        await relay.open()
        return relay

    def check_forwards(self, target: Target | None) -> None:
        """End the forwards that the inventory's entry for the target does not list any more."""
        rules = ForwardRules.of(target, self.policy.forwards.inner_ssh)
        for relay in list(self.relays.values()):
            asked = relay.request.forward
            if asked is not None and rules.refusal(asked.destination) is not None:
                gone = f"forwarding to {asked.destination} is not allowed any more"
                self.handle(ChannelFaulted(self.at(), relay.channel.number, gone))

    def _next_number(self) -> int:
        most = self.policy.limits.channels
        if len(self.relays) >= most + _UNASKED:
            raise CrowdedError(f"{most} channels are open, and that is the limit")
        if not self._around.has_room_for_channel():
            raise CrowdedError(CROWDED_CHANNEL)
        self._numbers += 1
        return self._numbers

    def ask(self, channel: LiveChannel, kind: str) -> str | None:
        """Put a channel's request to the gate; return why it is refused, None when it is not.

        What is granted has its recorder, unless that failed: then the session is ending.
        """
        refusal: str | None = None
        rest: list[fx.Effect] = []
        asked = ChannelAsked(self.at(), channel.number, kind, channel.request.forward)
        for effect in self.live.handle(asked):
            match effect:
                case fx.OpenChannel(_, waits):
                    channel.waits = waits
                    record(channel, CHANNELS[kind], self.recorder)
                    if channel.recorder is not None:
                        self.journal.channel_opened(channel)
                case fx.RefuseChannel(_, reason):
                    refusal = reason
                case fx.Audit(action, actor, detail):
                    self._around.refused(action, actor, detail, self.session.id)
                case _:
                    rest.append(effect)
        self._perform(rest)
        return refusal

    def channel_closed(self, channel: LiveChannel) -> None:
        """Take a channel off the session once both its halves are closed."""
        if self.relays.pop(channel.number, None) is None:
            return
        self._meter.closed(channel)
        if channel.recorder is not None:
            with self.recording():
                channel.recorder.close(self.at())
            self.journal.channel_closed(channel)
        self.handle(ChannelClosed(self.at(), channel.number))

    def operator_lost(self, error: Exception | None) -> None:
        """The operator's connection is closed."""
        detail = "" if error is None else "the operator's connection broke"
        self.handle(ConnectionLost(self.at(), "operator", detail))

    def _target_lost(self, error: Exception | None) -> None:
        detail = "" if error is None else "the target's connection broke"
        self.handle(ConnectionLost(self.at(), "target", detail))

    def operator_wire(self, full: bool) -> None:
        """The operator's connection takes nothing more, or takes bytes again."""
        self._wire("operator", full)

    def target_wire(self, full: bool) -> None:
        """The target's connection takes nothing more, or takes bytes again."""
        self._wire("target", full)

    def _wire(self, leg: Leg, full: bool) -> None:
        self.full_wires = self.full_wires | {leg} if full else self.full_wires - {leg} or _NO_WIRE
        for relay in list(self.relays.values()):
            relay.heed_wires()

    def _recorder_failed(self, error: Exception) -> None:
        log.error("%s: the recorder failed: %s", self.session.id, error)
        self._around.need_space()
        self.handle(RecorderFailed(self.at(), f"{type(error).__name__}: {error}"))

    # What is counted

    def output_seen(self, at: float, count: int) -> None:
        """Count recorded output for the sparkline, and wake who watches."""
        self._meter.activity.add(at, count)
        self._around.appended(self.session.id)

    def totals(self) -> tuple[int, int]:
        """Return the bytes (from the target, to the target) of all channels so far."""
        return self._meter.totals()

    def held(self) -> tuple[Held, ...]:
        """Return the channels whose input waits for the end of a pause."""
        return self._meter.waiting() if self.live.state is SessionState.PAUSED else ()

    def tick(self, at: float, bundle: Bundle) -> None:
        """Look after the channels, and have the store learn the counts when they changed."""
        self._note_gap(at)
        deadline = self.live.next_deadline()
        if deadline is not None and deadline <= at:
            # The alarm stands on the loop's clock, which stood still while the machine slept.
            self.handle(Ticked(at))
        for relay in list(self.relays.values()):
            relay.tick(at)
        self._meter.save(at, self.held())
        self.journal.flush(bundle)

    def _note_gap(self, at: float) -> None:
        """Note that nobody could watch or be warned for a while: the machine stood still."""
        gap, self._ticked = self._began + at - self._ticked, self._began + at
        if gap > _GAP_S and self.live.state is not SessionState.ENDED:
            said = f"the broker stood still for {gap:.0f} s"
            with self.recording():
                self.recorder.mark(at, said)
            self.journal.note(fx.Audit("session.gap", BROKER, said))

    # Deadlines

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        deadline = self.live.next_deadline()
        if deadline is not None:
            self._alarm = self._loop.call_later(max(deadline - self.at(), 0.0), self._ring)

    def _ring(self) -> None:
        # Input moves the idle deadline without an event: then nothing is due, and it is set anew.
        self.handle(Ticked(self.at()))

    # Effects

    def _perform(self, effects: list[fx.Effect]) -> None:
        state = self.live.state
        for effect in effects:
            if self.live.state is state:
                self._do(effect)
            elif (rest := _overtaken(effect)) is not None:
                self._do(rest)
        self.journal.flush()

    def _do(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Mark(at, label, kind):
                with self.recording():
                    self.recorder.mark(at, label, kind)
            case fx.Checkpoint(at):
                with self.recording():
                    self.recorder.checkpoint(at)
            case fx.HoldInput():
                for relay in self.relays.values():
                    relay.hold_input()
            case fx.ReleaseInput():
                for relay in list(self.relays.values()):
                    relay.release_input()
            case fx.EndChannel(channel, reason):
                ending = self.relays.get(channel)
                if ending is not None:  # it may have closed by itself
                    ending.hang_up(reason, 1)
            case fx.Announce(kind, by, text):
                for relay in self.relays.values():
                    relay.announce(kind, by, text)
            case fx.Deliver():
                for relay in list(self.relays.values()):
                    relay.deliver()
            case fx.Hangup(reason, by):
                self._hanging_up = True
                self.spawn(self._hang_up(reason, by), "hang up")
            case fx.SaveState() | fx.SaveAttention() | fx.SaveEnd() | fx.Audit() | fx.Acknowledge():
                self.journal.note(effect)
            case fx.OpenChannel() | fx.RefuseChannel():
                raise AssertionError("only `ask` is answered with these")
            case _:
                assert_never(effect)

    async def _hang_up(self, reason: str, by: str) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        finished: Finished = await HangUp(self, reason, by).run()
        self._meter.save(self.at(), ())  # most short sessions see no tick
        self.handle(finished)
        await self.journal.settled()
        self._around.over(self)


def _overtaken(effect: fx.Effect) -> fx.Effect | None:
    """Return what is left of an effect when one before it ended the session."""
    match effect:
        case fx.Audit():
            return effect
        case fx.Acknowledge():
            return replace(effect, outcome=Outcome.FAILED, detail="the session ended meanwhile")
        case _:
            return None
