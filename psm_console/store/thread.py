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


class StoreThread:
    """Owns a Store and runs what it is given on it, one job after another."""

    def __init__(self, home: Home, *, clock: Callable[[], datetime] = utc_now):
        """Open the store in the new thread; StoreError when that fails."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
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
            while (job := self._jobs.get()) is not None:
                _perform(store, *job)


def _perform(store: Store, job: Callable[[Store], T], future: Future[T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = job(store)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
