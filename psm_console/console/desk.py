"""The console's side of operations: everything that blocks is done in a thread and awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from psm_console.domain.inventory import Identity
from psm_console.domain.session import Directive, Session, Verb
from psm_console.operations import receipts
from psm_console.operations.errors import PsmError
from psm_console.operations.holding import Hold, keep_holding, new_hold, stop_holding
from psm_console.operations.recordings import (
    OpenedRecording,
    list_recordings,
    open_recording,
    verify_recording,
)
from psm_console.operations.sessions import (
    Watch,
    keep_watching,
    list_directives,
    list_sessions,
    pause,
    resume,
    show_session,
    start_watching,
    stop_watching,
    terminate,
    warn,
)
from psm_console.operations.watching import watch_changes
from psm_console.store import Home, RecordingInfo, Store, StoreError, StoreThread

from . import figures

T = TypeVar("T")
SLICE_S = 0.5


@dataclass(frozen=True, slots=True)
class Overview:
    """What is live, whether a broker is there, and when that was read."""

    sessions: tuple[Session, ...]
    broker: bool
    at: datetime


class Desk:
    """One console's access to a home, as `actor`; every method may raise PsmError."""

    def __init__(self, home: Home, actor: Identity, *, read_only: bool = False) -> None:
        self.home = home
        self.actor = actor
        self.read_only = read_only
        self._thread: StoreThread | None = None
        self._watches: dict[str, Watch] = {}
        self._holds: dict[str, Hold] = {}
        self._closed = False

    async def open(self) -> None:
        """Open the store."""
        if self._closed:
            raise PsmError("the console is closing")
        if self._thread is None:
            self._thread = await asyncio.to_thread(StoreThread, self.home)

    async def close(self) -> None:
        """Stop watching what is still watched and close the store; harmless when it is closed."""
        await self._leave_holds()
        self._closed = True
        if self._thread is not None:
            thread, self._thread = self._thread, None
            with suppress(StoreError, PsmError):
                await thread.call(self._leave_watches)
            await asyncio.to_thread(thread.close)

    def _leave_watches(self, store: Store) -> None:
        """Called on the store's thread, so that it comes after a watch that is just begun."""
        while self._watches:
            _, watch = self._watches.popitem()
            stop_watching(store, watch, figures.now())

    async def _call(self, act: Callable[[Store], T]) -> T:
        try:
            await self.open()
            assert self._thread is not None
            return await self._thread.call(act)
        except StoreError as error:
            raise PsmError(str(error)) from error

    def changes(self) -> AsyncGenerator[None]:
        """Yield whenever the store may have changed; close it when leaving early."""
        return watch_changes(self.home)

    async def overview(self) -> Overview:
        """Return what is live now."""

        def read(store: Store) -> Overview:
            now = figures.now()
            sessions = list_sessions(store, self.actor, now)
            return Overview(tuple(sessions), bool(store.workers.alive(now)), now)

        return await self._call(read)

    async def session(self, session_id: str) -> Session:
        """Return one session, live or not, by id or unique prefix."""
        return await self._call(
            lambda store: show_session(store, self.actor, session_id, figures.now())
        )

    async def directives(self, session_id: str) -> list[Directive]:
        """Return the orders given about a session, oldest first."""
        return await self._call(
            lambda store: list_directives(store, self.actor, session_id, figures.now())
        )

    async def watch(self, session_id: str, purpose: str = "shadow") -> Watch:
        """Note who looks at what; nothing may be shown before this has returned."""

        def begin(store: Store) -> Watch:
            watch = start_watching(store, self.actor, session_id, figures.now(), purpose=purpose)
            # Here, as whoever asked may be gone by now: a console that is cut closes at once.
            self._watches[watch.token] = watch
            return watch

        return await self._call(begin)

    async def keep(self, watch: Watch) -> bool:
        """Say that the window is still open; False when one may no longer look."""
        return await self._call(lambda store: keep_watching(store, watch, figures.now()))

    async def leave(self, watch: Watch) -> None:
        """Note that the window is closed; a store that is gone needs no such note."""
        self._watches.pop(watch.token, None)
        with suppress(PsmError):
            await self._call(lambda store: stop_watching(store, watch, figures.now()))

    async def order(
        self, verb: Verb, session_id: str, words: str, *, close_held: bool = False
    ) -> Directive:
        """Give an order; `words` is the reason, or what a warning says.

        A pause is held by this console from then on; `close_held` goes with a resume.
        """

        def give(store: Store) -> Directive:
            who, now, locked = self.actor, figures.now(), self.read_only
            match verb:
                case Verb.PAUSE:
                    token = new_hold()
                    return pause(store, who, session_id, words, now, hold=token, read_only=locked)
                case Verb.RESUME:
                    return resume(
                        store, who, session_id, words, now, close_held=close_held, read_only=locked
                    )
                case Verb.TERMINATE:
                    return terminate(store, who, session_id, words, now, read_only=locked)
                case Verb.WARN:
                    return warn(store, who, session_id, words, now, read_only=locked)

        directive = await self._call(give)
        if verb is Verb.PAUSE:
            self._holds[directive.id] = Hold(directive, self.actor)
        return directive

    @property
    def holding(self) -> int:
        """How many pauses this console holds."""
        return len(self._holds)

    async def keep_holds(self) -> None:
        """Say each second that the pauses of this console are watched; forget those that ended."""
        for name, hold in list(self._holds.items()):
            # A store that is away is tried again: until then the lease may run out, as it must.
            with suppress(PsmError):
                if not await self._call(partial(_keep, hold)):
                    self._holds.pop(name, None)

    async def _leave_holds(self) -> None:
        while self._holds:
            _, hold = self._holds.popitem()
            with suppress(PsmError):
                await self._call(partial(_leave, hold))

    async def outcome(self, directive: Directive) -> Directive:
        """Return the order as it stands once it was answered, or after 5 s."""
        deadline = time.monotonic() + receipts.PATIENCE_S
        while True:
            # In slices, as a thread that waits can not be told that the console is left.
            left = max(deadline - time.monotonic(), 0.0)
            directive = await asyncio.to_thread(
                receipts.wait, self.home, directive.id, min(left, SLICE_S)
            )
            if directive.outcome in receipts.SETTLED or left == 0.0:
                return directive

    async def recordings(self, limit: int, **wanted: Any) -> list[RecordingInfo]:
        """Return the newest recordings, oldest first; `wanted` are filters of the operation."""
        return await self._call(
            lambda store: list_recordings(store, self.actor, figures.now(), limit=limit, **wanted)
        )

    async def open_recording(self, recording: str) -> OpenedRecording:
        """Note who looks; nothing of the content may be shown before this has returned."""
        return await self._call(
            lambda store: open_recording(store, self.actor, recording, figures.now())
        )

    async def verify(self, recording: str) -> tuple[str, str]:
        """Return the word on a recording and what is behind it; reads it whole."""

        def judge() -> tuple[str, str]:
            with Store.open(self.home) as store:
                verdict = verify_recording(store, self.actor, recording, figures.now()).verdict
            return str(verdict.word), verdict.detail

        try:
            return await asyncio.to_thread(judge)
        except StoreError as error:
            raise PsmError(str(error)) from error


def _keep(hold: Hold, store: Store) -> bool:
    return keep_holding(store, hold)


def _leave(hold: Hold, store: Store) -> None:
    stop_holding(store, hold)
