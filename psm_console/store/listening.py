"""Waits on an event loop for what may have changed: a bell, a watched file, or a second gone by."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from .bells import Bell
from .home import Home

POLL_S = 1.0
"""How long a listener waits at most before it looks by itself."""
_RECHECK_S = 0.05
"""inotify on `-wal` fires before the commit can be read; a second look finds it."""


async def listen(
    home: Home, topic: str, path: Path, *, poll_s: float = POLL_S
) -> AsyncGenerator[None, None]:
    """Yield when `topic` may have changed: at once, at each bell, and every `poll_s` seconds.

    Any number of changes while the consumer works make one wake. Where no bell can be bound,
    `path` (a live file, or the store, whose directory is then watched) is watched instead.
    Close the iterator (`contextlib.aclosing`) when leaving it early.
    """
    woken = asyncio.Event()
    woken.set()
    async with contextlib.AsyncExitStack() as stack:
        try:
            bell = stack.enter_context(Bell(home, topic))
        except OSError:
            stack.push_async_callback(_cancel, asyncio.create_task(_watch(path, home, woken.set)))
        else:
            loop = asyncio.get_running_loop()
            loop.add_reader(bell.fileno(), _heard, bell, woken)
            stack.callback(loop.remove_reader, bell.fileno())
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll_s):
                    await woken.wait()
            woken.clear()
            yield


async def _watch(path: Path, home: Home, wake: Callable[[], None]) -> None:
    """Wake when the file system says that `path` has changed, and shortly after."""
    from watchfiles import awatch

    store = path == home.database
    loop = asyncio.get_running_loop()
    watched = path.parent if store else path
    with contextlib.suppress(OSError):  # it is gone: the poll goes on alone
        async for _ in awatch(
            watched,
            # The `-wal` beside the store comes and goes, so the directory is watched.
            watch_filter=lambda _, name: not store or Path(name).name.startswith(path.name),
            step=1 if not store else 10,
            debounce=10 if not store else 50,
            recursive=False,
        ):
            wake()
            loop.call_later(_RECHECK_S, wake)


def _heard(bell: Bell, woken: asyncio.Event) -> None:
    bell.drain()
    woken.set()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
