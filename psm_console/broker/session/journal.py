"""What the store learns of one session, in the order it happened, a transaction a batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psm_console.domain import effects as fx
from psm_console.domain.names import DirectiveId, SessionId
from psm_console.domain.session import (
    Channel,
    Directive,
    Held,
    Ledger,
    Outcome,
    Receipt,
    Session,
    Step,
)
from psm_console.domain.text import visible
from psm_console.recording.signing import Checkpoint
from psm_console.recording.writer import Seal
from psm_console.store import Store, StoreThread

from ..channel.live_channel import LiveChannel
from .bundle import Bundle, Part, Write

log = logging.getLogger(__name__)

Told = Callable[[Outcome, Receipt], None]
Stored = fx.SaveState | fx.SaveAttention | fx.SaveEnd | fx.Audit | fx.Acknowledge
_DETAIL = 500
_AGAIN_S = 0.5
"""How long after a failure the store is tried again."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """When a directive was claimed, on both time scales."""

    directive: Directive
    at: float
    ms: float
    """Milliseconds from the request to the claim."""
    told: Told | None = None
    """Who is told beside the store."""


class Journal:
    """Collects writes about one session and hands them to the store's thread together.

    Nothing here waits: the byte path goes on while SQLite syncs. A batch that the store does not
    take is kept and tried again, before what came after it: until then its acknowledgements stay
    out, so that the supervisor sees *not confirmed*, and a session that has ended is not forgotten.
    """

    def __init__(self, store: StoreThread, session: Session, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._session = session
        self._clock = clock
        self._writes: list[Write] = []
        self._awaited = False
        """Whether one of them is more than a count: it goes first, and rings."""
        self._checkpoints: dict[str, Checkpoint] = {}
        self._claims: dict[DirectiveId, _Claim] = {}
        self._under_way = False
        self._idle = asyncio.Event()
        self._idle.set()

    def claimed(self, directive: Directive, at: float) -> None:
        """Note that this session's worker took `directive` at `at` seconds of the session."""
        ms = (self._clock() - directive.requested_at) / timedelta(milliseconds=1)
        self._claims[directive.id] = _Claim(directive, at, max(ms, 0.0))

    def directly(self, directive: Directive, at: float, told: Told) -> None:
        """Note an order that came past the store: `told` hears what the store learns later."""
        self._claims[directive.id] = _Claim(directive, at, 0.0, told)
        self._write(lambda store: store.directives.add(directive))
        detail = f"{directive.id} by the control socket: {directive.reason}"
        self._audit(f"session.{directive.verb}", directive.actor, detail)

    def note(self, effect: Stored) -> None:
        """Take an effect that the store must learn."""
        session, now = self._session.id, self._clock()
        match effect:
            case fx.SaveState(state, paused_by):
                paused_at = now if paused_by else None
                self._write(
                    lambda store: store.sessions.set_state(
                        session, state, paused_by=paused_by, paused_at=paused_at
                    )
                )
            case fx.SaveAttention(text):
                said = None if text is None else visible(text, _DETAIL)
                self._write(lambda store: store.sessions.set_attention(session, said))
            case fx.SaveEnd():
                self._write(lambda store: self._save_end(store, effect, now))
            case fx.Audit(action, actor, detail):
                self._audit(action, actor, detail)
            case fx.Acknowledge():
                self._acknowledge(effect)

    def _write(self, write: Write) -> None:
        """Take a write that is more than a count."""
        self._awaited = True
        self._writes.append(write)

    def _audit(self, action: str, actor: str, detail: str) -> None:
        session, now, said = self._session.id, self._clock(), visible(detail, _DETAIL)
        self._write(
            lambda store: store.audit.append(now, action, actor, session=session, detail=said)
        )

    def _save_end(self, store: Store, end: fx.SaveEnd, now: datetime) -> None:
        session = self._session.id
        reason = visible(end.reason, _DETAIL)
        store.sessions.end(session, ended_at=now, end_reason=reason, ended_by=end.by)
        if end.digest is not None:
            store.audit.append(now, "recording.close", "broker", session=session, detail=end.digest)

    def _acknowledge(self, effect: fx.Acknowledge) -> None:
        claim = self._claims.pop(effect.directive, None)
        if claim is None:
            return
        steps = [Step("requested", 0.0), Step("claimed", round(claim.ms, 1))]
        steps += [_since_request(step, claim) for step in effect.steps]
        receipt = Receipt(tuple(steps), visible(effect.detail, _DETAIL))
        self._write(
            lambda store: store.directives.finish(effect.directive, effect.outcome, receipt)
        )
        if claim.told is not None:
            claim.told(effect.outcome, receipt)

    def channel_opened(self, channel: LiveChannel) -> None:
        """Store a new channel."""
        assert channel.kind is not None and channel.recorder is not None
        command = channel.request.command
        row = Channel(
            session=self._session.id,
            number=channel.number,
            kind=channel.kind,
            pty=channel.pty,
            command=None if command is None else visible(command, 4096),
            file=channel.recorder.file,
            opened_at=self._clock(),
        )
        self._write(lambda store: _add_channel(store, row))

    def channel_closed(self, channel: LiveChannel) -> None:
        """Store what became of a channel."""
        assert channel.recorder is not None
        ledger, now = channel.recorder.ledger, self._clock()
        session, number, said = self._session.id, channel.number, channel.exit_text
        self._write(
            lambda store: store.sessions.close_channel(
                session, number, closed_at=now, exit=said, ledger=ledger
            )
        )

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Note a file's newest signed checkpoint; called on the recorder's thread."""
        self._checkpoints[checkpoint.file] = checkpoint

    def sealed(self, at: float, seal: Seal) -> None:
        """Store what the closed recording consists of; `at` is its length in seconds."""
        session, now = self._session.id, self._clock()
        self._write(lambda store: _save_checkpoints(store, session, self._take()))
        self._write(
            lambda store: store.recordings.close(
                session,
                closed_at=now,
                digest=seal.digest,
                duration_s=at,
                files=[file.name for file in seal.files],
                size_bytes=seal.size_bytes,
            )
        )

    def counters(self, output: int, given: int, activity: tuple[int, ...]) -> None:
        """Store byte counts for the live list."""
        session = self._session.id
        self._writes.append(
            lambda store: store.sessions.counters(
                session, output_bytes=output, input_bytes=given, activity=activity
            )
        )

    def held(self, held: tuple[Held, ...]) -> None:
        """Store what waits for the end of a pause."""
        session = self._session.id
        self._write(lambda store: store.sessions.set_held(session, held))

    def ledgers(self, changed: Mapping[int, Ledger]) -> None:
        """Store how much of the open channels was recorded how, by the channels' numbers."""
        session = self._session.id
        self._writes.append(lambda store: store.sessions.set_ledgers(session, changed))

    def flush(self, bundle: Bundle | None = None) -> None:
        """Hand what was collected to the store's thread, unless something is under way.

        Counts that nobody waits for go with `bundle`, whenever that is sent.
        """
        if self._under_way:
            return
        writes, self._writes = self._writes, []
        awaited, self._awaited = self._awaited, False
        checkpoints = self._take()
        if checkpoints:
            # After the rest: a file's first checkpoint comes before the batch that names the file.
            session = self._session.id
            writes.append(lambda store: _save_checkpoints(store, session, checkpoints))
        if not writes:
            return
        self._under_way = True
        self._idle.clear()
        part = Part(writes, lambda error, refused: self._settled_one(writes, error, refused))
        if bundle is not None and not awaited:
            bundle.add(part)
        else:
            own = Bundle(self._store, awaited=awaited)
            own.add(part)
            own.send()

    def _take(self) -> list[Checkpoint]:
        taken, self._checkpoints = self._checkpoints, {}
        return list(taken.values())

    async def settled(self) -> None:
        """Wait until everything noted so far is stored, however long the store is away."""
        while self._writes or self._checkpoints or self._under_way:
            self.flush()
            await self._idle.wait()
            if self._writes:
                await asyncio.sleep(_AGAIN_S)

    def _settled_one(
        self, writes: list[Write], error: BaseException | None, refused: list[Write]
    ) -> None:
        self._under_way = False
        if error is not None:
            self._keep(writes, error)
        elif refused:
            log.error("%s: %d writes are given up", self._session.id, len(refused))
        self._idle.set()
        if error is None and self._writes:
            self.flush()

    def _keep(self, writes: list[Write], error: BaseException) -> None:
        log.error("%s: the store did not take a batch: %s", self._session.id, error)
        self._awaited = True
        self._writes[:0] = writes


def _add_channel(store: Store, channel: Channel) -> None:
    store.sessions.add_channel(channel)
    store.recordings.add_file(channel.session, channel.file, channel.kind, channel.opened_at)


def _save_checkpoints(store: Store, session: SessionId, checkpoints: list[Checkpoint]) -> None:
    for one in checkpoints:
        store.recordings.checkpoint(
            session, one.file, one.offset, one.sha256, one.at, one.signature
        )


def _since_request(step: Step, claim: _Claim) -> Step:
    if step.ms is None:
        return step
    # An order that joined an ending under way finds steps already done: done by its claim.
    return replace(step, ms=round(claim.ms + max(step.ms - claim.at * 1000, 0.0), 1))
