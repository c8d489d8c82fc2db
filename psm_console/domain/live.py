"""The live session: everything that may change its state. Events in, effects out.

The law of this file: no clock, no socket, no store. Time comes in with each event as `at`,
seconds since the session began. The driver performs the effects strictly in order, before it hands
in the next event. Bulk bytes are not events: the driver asks `input_gate` and `output_gate` per
packet, and both change only inside `handle`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from .attention import Attention
from .effects import (
    Acknowledge,
    Announce,
    Audit,
    Checkpoint,
    Deliver,
    Effect,
    EndChannel,
    Hangup,
    HoldInput,
    Mark,
    NoticeKind,
    OpenChannel,
    RefuseChannel,
    ReleaseInput,
    SaveEnd,
    SaveState,
)
from .events import (
    ChannelAsked,
    ChannelClosed,
    ChannelFaulted,
    ChannelFlagged,
    ConnectionLost,
    Directed,
    Draining,
    Event,
    Finished,
    HoldReleased,
    HoldRenewed,
    RecorderFailed,
    Stopped,
    TargetOpened,
    TargetRefused,
    Ticked,
    WatchReleased,
    WatchRenewed,
)
from .names import DirectiveId
from .pause import ENDING_SOON, Pause, closed_held, resumed
from .policy import Limits
from .rate import Rate
from .session import TRANSITIONS, ChannelKind, Outcome, SessionState, Verb
from .supervision import REFUSAL, UNSUPERVISED, Supervision
from .timers import Limit, Timers

BROKER = "broker"
"""The actor of what nobody ordered."""

WARNINGS, WARNINGS_S = 5, 20.0
"""Messages to an operator that can still be read, and in what time."""


class Gate(StrEnum):
    """What the driver does with the bytes in its hand."""

    FORWARD = "forward"
    DISCARD = "discard"
    """Typed at a PTY while paused: thrown away and counted. A queue would run it on resume."""
    HOLD = "hold"
    """Input of a pipe while paused: left unread, because a hole would corrupt the transfer."""
    WITHHOLD = "withhold"
    """Output while paused: recorded, kept for the operator until resume."""
    SHUT = "shut"
    """Nothing passes and nothing is kept."""


_LIVES_ON = "what was detached from the session on the target may live on"

CHANNELS = {
    "shell": ChannelKind.SHELL,
    "exec": ChannelKind.EXEC,
    "subsystem sftp": ChannelKind.SFTP,
    "forward": ChannelKind.FORWARD,
}
"""What a client may ask of a channel; the evidence mode follows from it, never from a command."""
_OVER = frozenset({SessionState.ENDING, SessionState.ENDED})


class LiveSession:
    """One operator on one target, from dialling to the sealed recording."""

    def __init__(
        self,
        operator: str,
        limits: Limits,
        grant_expires_at: float | None = None,
        supervised: bool = False,
    ) -> None:
        self.operator = operator
        self.limits = limits
        self.state = SessionState.CONNECTING
        self.pause: Pause | None = None
        self.attention = Attention()
        self._timers = Timers(limits, grant_expires_at)
        self.supervision = Supervision(self.attention, self._timers) if supervised else None
        self._channels: dict[int, ChannelKind] = {}
        self._waiting: list[DirectiveId] = []
        self._warnings = Rate(WARNINGS, WARNINGS_S)
        self._began = False
        self._unrecorded = False
        self._end_reason = ""
        self._ended_by = BROKER

    @property
    def paused_by(self) -> str | None:
        """Who ordered the pause that is on."""
        return None if self.pause is None else self.pause.owner

    def input_gate(self, pty: bool) -> Gate:
        """What happens to the operator's bytes on a channel with or without a PTY."""
        match self.state:
            case SessionState.ACTIVE:
                return Gate.FORWARD
            case SessionState.PAUSED:
                return Gate.DISCARD if pty else Gate.HOLD
            case SessionState.CONNECTING:
                return Gate.HOLD
            case _:
                return Gate.SHUT

    def output_gate(self) -> Gate:
        """What happens to the target's bytes."""
        match self.state:
            case SessionState.ACTIVE:
                return Gate.FORWARD
            case SessionState.PAUSED:
                return Gate.WITHHOLD
            case _:
                return Gate.SHUT

    def input_received(self, at: float) -> None:
        """Note that the operator is there; output does not count, or `top` would never idle."""
        self._timers.input_received(at)

    def next_deadline(self) -> float | None:
        """The `at` of the next `Ticked` this session needs, or None."""
        if self.state in _OVER:
            return None
        lease = None if self.pause is None else self.pause.held_until
        watch = None if self.supervision is None else self.supervision.next()
        return min(
            (at for at in (self._timers.next(), lease, watch) if at is not None), default=None
        )

    def handle(self, event: Event) -> list[Effect]:
        """Take what happened and return what must be done, in this order."""
        if self.state is SessionState.ENDED:
            return []
        match event:
            case TargetOpened(at):
                return self._opened(at)
            case TargetRefused(at, reason):
                return self._end(at, reason, BROKER)
            case ChannelAsked():
                return self._asked(event)
            case ChannelClosed(_, channel):
                self._channels.pop(channel, None)
                return []
            case ChannelFaulted():
                return self._faulted(event)
            case ChannelFlagged():
                return self._flagged(event)
            case Directed():
                return self._directed(event)
            case HoldRenewed(at, hold):
                return [] if self.pause is None else self.pause.renewed(at, hold)
            case HoldReleased(_, hold):
                return [] if self.pause is None else self.pause.released(hold)
            case WatchRenewed(at, watch, by):
                watches = self.supervision
                return [] if watches is None else watches.renewed(at, watch, by)
            case WatchReleased(at, watch):
                return self._supervised(at, watch)
            case Ticked(at):
                return self._ticked(at)
            case ConnectionLost(at, leg, detail):
                by = self.operator if leg == "operator" else BROKER
                return self._end(at, detail or f"the {leg} closed the connection", by)
            case RecorderFailed(at, detail):
                return self._recorder_failed(at, detail)
            case Draining(at, left_s):
                return self._draining(at, left_s)
            case Stopped(at, reason):
                return self._end(at, reason, BROKER)
            case Finished():
                return self._finished(event)
            case _:
                assert_never(event)

    def _opened(self, at: float) -> list[Effect]:
        if self.state is not SessionState.CONNECTING:
            return []
        self.state = SessionState.ACTIVE
        save, audit = SaveState(SessionState.ACTIVE), Audit("session.start", self.operator)
        waits = self._supervised(at)
        self._began = not waits
        return [save, audit, *waits]

    def _supervised(self, at: float, released: str = "") -> list[Effect]:
        """Pause what is to be supervised and is not; who watches again has to resume it."""
        if self.supervision is None or self.state not in (SessionState.ACTIVE, SessionState.PAUSED):
            return []
        missed = self.supervision.missed(at, BROKER, released)
        if not missed or self.state is SessionState.PAUSED:
            return missed
        return [*missed, *self._pause(at, BROKER, UNSUPERVISED)]

    def _asked(self, event: ChannelAsked) -> list[Effect]:
        refusal = self._refusal(event)
        if refusal is not None:
            asked = event.kind if event.forward is None else f"forward from {event.forward.origin}"
            detail = f"{asked}: {refusal}"
            return [
                Audit("channel.refuse", self.operator, detail),
                RefuseChannel(event.channel, refusal),
            ]
        self._channels[event.channel] = CHANNELS[event.kind]
        return [OpenChannel(event.channel, UNSUPERVISED if self._never_began else "")]

    @property
    def _never_began(self) -> bool:
        """Whether a supervised session waits to be let work for the first time.

        A client has to be told why its first channel waits; refused, most would leave.
        """
        return self.state is SessionState.PAUSED and not self._began

    def _refusal(self, event: ChannelAsked) -> str | None:
        forwards = CHANNELS.get(event.kind) is ChannelKind.FORWARD
        if event.kind not in CHANNELS or forwards is not (event.forward is not None):
            return f"{event.kind} is not available through this broker"
        if event.forward is not None:
            refusal = event.forward.rules.refusal(event.forward.destination)
            if refusal is not None:
                return refusal
        if self.state is SessionState.PAUSED and not (self._never_began and event.forward is None):
            return f"the session is paused by {self.paused_by}; nothing opens until it is resumed"
        if self.state not in (SessionState.ACTIVE, SessionState.PAUSED):
            return "the session is over"
        if len(self._channels) >= self.limits.channels:
            return f"{self.limits.channels} channels are open, and that is the limit"
        return None

    def _faulted(self, event: ChannelFaulted) -> list[Effect]:
        if self.state in _OVER or event.channel not in self._channels:
            return []
        return [
            Audit("channel.end", BROKER, f"channel {event.channel}: {event.detail}"),
            *(self.attention.draw(event.attention) if event.attention else []),
            EndChannel(event.channel, event.detail),
        ]

    def _flagged(self, event: ChannelFlagged) -> list[Effect]:
        if self.state in _OVER or event.channel not in self._channels:
            return []
        return [
            Audit("channel.flag", BROKER, f"channel {event.channel}: {event.detail}"),
            *self.attention.draw(event.detail),
        ]

    def _directed(self, event: Directed) -> list[Effect]:
        if event.verb is Verb.TERMINATE and self.state in _OVER:
            # Joined to the ending that is under way: it gets the same receipt.
            self._waiting.append(event.directive)
            return [Audit("session.terminated", event.by, event.reason)]
        refusal = self._order_refusal(event)
        if refusal is not None:
            return [
                Audit(f"session.{event.verb}.refused", event.by, refusal),
                Acknowledge(event.directive, Outcome.REFUSED, refusal),
            ]
        match event.verb:
            case Verb.PAUSE:
                return self.pause.taken_over(event) if self.pause else self._pause_ordered(event)
            case Verb.RESUME:
                return self._resume(event)
            case Verb.WARN:
                return self._warn(event)
            case Verb.TERMINATE:
                self._waiting.append(event.directive)
                audit = Audit("session.terminated", event.by, event.reason)
                return self._end(event.at, event.reason, event.by, audit)
            case _:
                assert_never(event.verb)

    def _order_refusal(self, event: Directed) -> str | None:
        if (self.state, event.verb) not in TRANSITIONS:
            return f"the session is {self.state}; {event.verb} does not apply"
        own = event.by == self.operator
        if event.verb is Verb.RESUME and own:
            return f"{event.by} works in this session; somebody else must resume it"
        if event.verb is Verb.RESUME and self.supervision and not self.supervision.watched:
            return REFUSAL
        if event.verb is Verb.PAUSE and self.pause is not None:
            # Who is paused must not calm those who are to look after it.
            return self.pause.refusal("" if own else event.hold)
        if event.verb is Verb.WARN and (wait := self._warnings.wait(event.at)):
            # One nobody can read any more would be told as given.
            most, span = self._warnings.most, self._warnings.span_s
            return f"{most} messages in {span:g} s are the most; say it again in {wait:.0f} s"
        return None

    def _pause_ordered(self, event: Directed) -> list[Effect]:
        done = "input stopped, output withheld" + ("" if event.hold else "; unwatched")
        effects = self._pause(event.at, event.by, event.reason, event.hold)
        return [*effects, Acknowledge(event.directive, Outcome.DONE, done)]

    def _pause(self, at: float, by: str, reason: str, hold: str = "") -> list[Effect]:
        self.state = SessionState.PAUSED
        self.pause = Pause(self.attention, by, hold)
        self._timers.paused(at)
        return [
            Mark(at, _label("pause", by, reason), "pause"),
            Checkpoint(at),
            SaveState(SessionState.PAUSED, by),
            *self.pause.begun(at),
            Audit("session.paused", by, reason),
            HoldInput(),
            Announce(NoticeKind.PAUSE, by, reason),
        ]

    def _resume(self, event: Directed) -> list[Effect]:
        self.state = SessionState.ACTIVE
        self._began = True
        calm = self._pause_over()
        self._timers.resumed(event.at)
        closing = event.held if event.close_held else ()
        return [
            Mark(event.at, _label("resume", event.by, event.reason), "resume"),
            Checkpoint(event.at),
            SaveState(SessionState.ACTIVE),
            *calm,
            Audit("session.resumed", event.by, event.reason),
            Announce(NoticeKind.RESUME, event.by, event.reason),
            Deliver(),
            # Before any input is let go: what waited on these must never run.
            *(EndChannel(one.channel, closed_held(event.by)) for one in closing),
            ReleaseInput(),
            Acknowledge(event.directive, Outcome.DONE, resumed(event)),
        ]

    def _warn(self, event: Directed) -> list[Effect]:
        self._warnings.take(event.at)
        return [
            Mark(event.at, f"warn by {event.by}: {event.text}", "warn"),
            Checkpoint(event.at),
            Audit("session.warned", event.by, event.text),
            Announce(NoticeKind.WARN, event.by, event.text),
            Acknowledge(event.directive, Outcome.DONE, self._shown()),
        ]

    def _shown(self) -> str:
        """Say whether there was anything open that shows the operator a warning."""
        if any(kind is not ChannelKind.FORWARD for kind in self._channels.values()):
            return "given to the operator's terminal"
        only = "only forwards are open" if self._channels else "no channel is open"
        return f"recorded, and not shown to the operator: {only}"

    def _ticked(self, at: float) -> list[Effect]:
        if self.state in _OVER:
            return []
        effects: list[Effect] = []
        if self.pause is not None:
            effects += self.pause.tick(at)
        effects += self._supervised(at)
        for due in self._timers.due(at):
            if due.ends:
                lives_on = [Audit("grant.expire", BROKER, _LIVES_ON)]
                first = lives_on if due.limit is Limit.GRANT else []
                return [*effects, *self._end(at, due.sentence, BROKER, *first)]
            effects += _limit(at, due.sentence)
            if due.limit in (Limit.PAUSE, Limit.UNSUPERVISED):
                effects += self.attention.draw(ENDING_SOON)
        return effects

    def _draining(self, at: float, left_s: float) -> list[Effect]:
        if self.state in _OVER:
            return []
        return _limit(at, self._timers.draining(at, left_s))

    def _recorder_failed(self, at: float, detail: str) -> list[Effect]:
        if self._unrecorded:
            return []
        self._unrecorded = True
        failed = Audit("recording.fail", BROKER, detail)
        if self.state in _OVER:
            return [failed]
        return self._end(at, "the recording failed", BROKER, failed, recorded=False)

    def _end(
        self, at: float, reason: str, by: str, *first: Effect, recorded: bool = True
    ) -> list[Effect]:
        if self.state in _OVER:
            return []
        self.state = SessionState.ENDING
        calm = self._pause_over()
        if self.supervision is not None:
            calm += self.supervision.over()
        self._end_reason, self._ended_by = reason, by
        marks: list[Effect] = []
        if recorded:
            marks = [Mark(at, f"end by {by}: {reason}", "end"), Checkpoint(at)]
        save = SaveState(SessionState.ENDING)
        return [HoldInput(), *marks, save, *calm, *first, Hangup(reason, by)]

    def _pause_over(self) -> list[Effect]:
        pause, self.pause = self.pause, None
        return [] if pause is None else pause.over()

    def _finished(self, event: Finished) -> list[Effect]:
        self.state = SessionState.ENDED
        outcome = Outcome.FAILED if any(step.failed for step in event.steps) else Outcome.DONE
        return [
            SaveEnd(event.at, self._end_reason, self._ended_by, event.digest),
            Audit("session.end", self._ended_by, self._end_reason),
            *(Acknowledge(waiting, outcome, "ended", event.steps) for waiting in self._waiting),
        ]


def _limit(at: float, sentence: str) -> list[Effect]:
    """Tell the operator of an end that comes by itself."""
    return [
        Mark(at, f"warn by {BROKER}: {sentence}", "warn"),
        Announce(NoticeKind.LIMIT, BROKER, sentence),
    ]


def _label(verb: str, by: str, reason: str) -> str:
    return f"{verb} by {by}: {reason}" if reason else f"{verb} by {by}"
