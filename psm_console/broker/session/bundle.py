"""What several journals tell the store at the same time: one job, one commit, one answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from psm_console.store import Store, StoreError, StoreThread

log = logging.getLogger(__name__)

Write = Callable[[Store], object]


@dataclass(frozen=True, slots=True)
class Part:
    """The writes of one journal, and who is told what became of them."""

    writes: list[Write]
    settled: Callable[[BaseException | None, list[Write]], None]
    """Called on the loop with why nothing was stored, or None, and what the store never takes."""


class Bundle:
    """Gathers parts until `send`. For the loop's thread.

    A job for each of a thousand sessions and second would wake the loop a thousand times.
    """

    def __init__(self, store: StoreThread, *, awaited: bool = False) -> None:
        """Somebody waits for `awaited` parts: they go first, and ring."""
        self._store = store
        self._awaited = awaited
        self._parts: list[Part] = []
        self._loop = asyncio.get_running_loop()

    def add(self, part: Part) -> None:
        """Take a part; it is told once, after `send`."""
        self._parts.append(part)

    def send(self) -> None:
        """Hand what was gathered to the store's thread."""
        parts, self._parts = self._parts, []
        if not parts:
            return
        try:
            job = self._store.submit(partial(self._all, parts), first=self._awaited)
        except StoreError as error:
            _settle(parts, error, [])
        else:
            job.add_done_callback(lambda done: self._told(done, parts))

    def _all(self, parts: list[Part], store: Store) -> list[list[Write]]:
        with store.transaction(ring=self._awaited):
            return [_together(store, part.writes, self._awaited) for part in parts]

    def _told(self, done: Future[list[list[Write]]], parts: list[Part]) -> None:
        """Called on the store's thread."""
        error = done.exception()
        refused = [] if error is not None else done.result()
        # A loop that is closed has nobody left who could go on.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, parts, error, refused)


def _settle(parts: list[Part], error: BaseException | None, refused: list[list[Write]]) -> None:
    for number, part in enumerate(parts):
        part.settled(error, [] if error is not None else refused[number])


def _together(store: Store, writes: list[Write], awaited: bool) -> list[Write]:
    """Do `writes` together; what the store will never take is left out, and returned."""
    try:
        with store.transaction(ring=awaited):
            for write in writes:
                write(store)
        return []
    except StoreError:
        raise
    except Exception:
        log.exception("a batch holds what the store can not take; each is tried alone")
    with store.transaction(ring=awaited):
        return [write for write in writes if not _alone(store, write)]


def _alone(store: Store, write: Write) -> bool:
    try:
        with store.transaction():
            write(store)
    except StoreError:
        raise
    except Exception:
        log.exception("a write is given up")
        return False
    return True
