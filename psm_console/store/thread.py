"""The one thread of a broker that writes to the store, so that no event loop waits for a disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar

from .errors import StoreError
from .home import Home
from .store import Store, utc_now

T = TypeVar("T")
_Job = tuple[Callable[[Store], Any], "Future[Any]"]
_Done = tuple["Future[Any]", Any, BaseException | None]
TOGETHER = 64
"""How many jobs share one wait for the disk at most."""


class StoreThread:
    """Owns a Store and runs what it is given on it, one job after another.

    Jobs that have queued up wait for the disk together, so that an order is not kept waiting by
    the counters of three hundred sessions. A future is done when its job is on the disk.
    """

    def __init__(self, home: Home, *, clock: Callable[[], datetime] = utc_now):
        """Open the store in the new thread; StoreError when that fails."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._open = True
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(home, clock, opened), name="psm-store", daemon=True
        )
        self._thread.start()
        opened.result()

    def submit(self, job: Callable[[Store], T]) -> Future[T]:
        """Queue `job`; the future has its result or its exception, after any commit."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StoreError("the store is closed")
            self._jobs.put((job, future))
        return future

    async def call(self, job: Callable[[Store], T]) -> T:
        """Run `job` and await its result; cancelling does not stop a job that has begun."""
        return await asyncio.wrap_future(self.submit(job))

    def close(self) -> None:
        """Finish what is queued and close the store; harmless when closed already."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self, home: Home, clock: Callable[[], datetime], opened: Future[None]) -> None:
        try:
            store = Store.open(home, clock=clock)
        except BaseException as error:
            opened.set_exception(error)
            return
        with store:
            opened.set_result(None)
            while batch := self._next():
                _perform(store, batch)

    def _next(self) -> list[_Job]:
        """Return what is queued, waiting for at least one job; nothing when it is over."""
        batch: list[_Job] = []
        while self._open and len(batch) < TOGETHER:
            try:
                job = self._jobs.get(block=not batch)
            except queue.Empty:
                break
            if job is None:
                self._open = False
            else:
                batch.append(job)
        return batch


def _perform(store: Store, batch: list[_Job]) -> None:
    """Run the jobs, then tell their callers."""
    done: list[_Done] = []
    try:
        if len(batch) == 1:
            done.append(_run(store, *batch[0]))
        else:
            with store.relaxed():
                done.extend(_run(store, *job) for job in batch)
    except StoreError as error:
        # What they wrote may not be on the disk: nobody is told that it is.
        done = [(future, None, error) for _, future in batch if not future.cancelled()]
    for future, result, failure in done:
        if future.cancelled():
            continue
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)


def _run(store: Store, job: Callable[[Store], Any], future: Future[Any]) -> _Done:
    if not future.set_running_or_notify_cancel():
        return future, None, None
    try:
        return future, job(store), None
    except BaseException as error:
        return future, None, error
