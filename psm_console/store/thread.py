"""The one thread of a broker that writes to the store, so that no event loop waits for a disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import datetime
from enum import Enum, auto
from typing import Any, TypeVar

from psm_console.domain.text import visible

from .errors import StoreError
from .home import Home
from .store import Store, utc_now

T = TypeVar("T")
_Job = tuple[Callable[[Store], Any], "Future[Any]", bool]
"""What is to be done, who is told, and whether it goes first."""
_Done = tuple["Future[Any]", Any, BaseException | None]
TOGETHER = 64
"""How many jobs share one wait for the disk at most."""


class _Word(Enum):
    """What the thread is told beside jobs."""

    LOOK = auto()
    """There is a job that goes first."""
    END = auto()


class StoreThread:
    """Owns a Store and runs what it is given on it, one job after another.

    Jobs that have queued up wait for the disk together, so that an order is not kept waiting by
    the counters of three hundred sessions; nor does what is submitted `first` wait for what is
    queued before it. A future is done when its job is on the disk.
    """

    def __init__(self, home: Home, *, clock: Callable[[], datetime] = utc_now):
        """Open the store in the new thread; StoreError when that fails."""
        self._jobs: queue.SimpleQueue[_Job | _Word] = queue.SimpleQueue()
        self._first: deque[_Job] = deque()
        self._closing = threading.Lock()
        self._closed = False
        self._open = True
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(home, clock, opened), name="psm-store", daemon=True
        )
        self._thread.start()
        opened.result()

    def submit(self, job: Callable[[Store], T], *, first: bool = False) -> Future[T]:
        """Queue `job`; the future has its result or its exception, after any commit.

        Those that go `first` keep their order among each other.
        """
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise StoreError("the store is closed")
            if first:
                self._first.append((job, future, True))
            self._jobs.put(_Word.LOOK if first else (job, future, False))
        return future

    async def call(self, job: Callable[[Store], T], *, first: bool = False) -> T:
        """Run `job` and await its result; cancelling does not stop a job that has begun."""
        return await asyncio.wrap_future(self.submit(job, first=first))

    def close(self) -> None:
        """Finish what is queued and close the store; harmless when closed already."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(_Word.END)
        self._thread.join()

    def _run(self, home: Home, clock: Callable[[], datetime], opened: Future[None]) -> None:
        try:
            store = Store.open(home, clock=clock)
        except BaseException as error:
            opened.set_exception(error)
            return
        with store:
            opened.set_result(None)
            while (job := self._next(wait=True)) is not None:
                self._perform(store, job)

    def _next(self, *, wait: bool) -> _Job | None:
        """Return what is to be done next; None when it is over or, without `wait`, all is done."""
        while True:
            if self._first:
                return self._first.popleft()
            if not self._open:
                return None
            try:
                job = self._jobs.get(block=wait)
            except queue.Empty:
                return None
            if job is _Word.END:
                self._open = False
            elif not isinstance(job, _Word):
                return job

    def _others(self, job: _Job) -> Iterator[_Job]:
        """Yield what shares the wait for the disk with `job`: nothing after what goes first."""
        for _ in range(TOGETHER - 1):
            if job[2] and not self._first:
                return
            following = self._next(wait=False)
            if following is None:
                return
            yield following
            job = following

    def _alone(self, job: _Job) -> bool:
        """Whether nobody waits with `job`, or should."""
        return not self._first and (job[2] or self._jobs.empty())

    def _perform(self, store: Store, job: _Job) -> None:
        """Run `job`, and what is queued with it, then tell their callers."""
        begun: list[_Job] = [job]
        done: list[_Done] = []
        try:
            if self._alone(job):
                done.append(_run(store, job))
            else:
                with store.relaxed():
                    done.append(_run(store, job))
                    for one in self._others(job):
                        begun.append(one)
                        done.append(_run(store, one))
        except Exception as error:
            # What they wrote may not be on the disk: nobody is told that it is. Whatever it was,
            # the thread goes on: without it everybody would wait for ever.
            told = error if isinstance(error, StoreError) else StoreError(_unforeseen(error))
            done = [(future, None, told) for _, future, _ in begun if not future.cancelled()]
        for future, result, failure in done:
            if future.cancelled():
                continue
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)


def _run(store: Store, job: _Job) -> _Done:
    work, future, _ = job
    if not future.set_running_or_notify_cancel():
        return future, None, None
    try:
        return future, work(store), None
    except BaseException as error:
        return future, None, error


def _unforeseen(error: Exception) -> str:
    return f"the store can not be used: {visible(str(error), 200)}; look at the system's log"
