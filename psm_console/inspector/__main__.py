"""`python -m psm_console.inspector --home DIR`: runs until SIGTERM, SIGINT or the end of stdin."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import resource
import selectors
import signal
import sys
from pathlib import Path
from types import FrameType

from psm_console.store import Home, Store, StoreError

from .inspector import Inspector

POLL_S = 0.25
"""How often casts are looked at. No bells: one for each chunk would cost the broker more."""
NICENESS = 5
"""The byte path comes first."""


class Stop:
    """Whether the process is to end: a signal, or the broker that held our stdin is gone."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self.asked = True


def main(arguments: list[str] | None = None) -> int:
    """Run the inspector; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m psm_console.inspector")
    parser.add_argument("--home", type=Path, required=True, help="the home of the broker")
    home = Home(parser.parse_args(arguments).home)
    logging.basicConfig(level=logging.INFO, format="inspector: %(message)s")
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.ask)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError, ValueError):  # two files for each live channel
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        home.check()
        with Store.open(home) as store:
            run(store, stop)
    except StoreError as error:
        print(f"the inspector can not start: {error}", file=sys.stderr)
        return 1
    return 0


def run(store: Store, stop: Stop) -> None:
    """Inspect until told to stop."""
    inspector = Inspector(store, stop)
    with contextlib.ExitStack() as stack:
        stack.callback(inspector.close)
        waiting = stack.enter_context(selectors.DefaultSelector())
        _wake_on_signals(waiting, stack)
        waiting.register(sys.stdin.fileno(), selectors.EVENT_READ, "stdin")
        while not stop():
            more = inspector.round()
            for key, _ in waiting.select(0 if more else POLL_S):
                if not os.read(key.fd, 4096) and key.data == "stdin":
                    stop.asked = True


def _wake_on_signals(waiting: selectors.BaseSelector, stack: contextlib.ExitStack) -> None:
    """Let a signal end a wait at once."""
    ours, theirs = os.pipe()
    for descriptor in (ours, theirs):
        os.set_blocking(descriptor, False)
        stack.callback(os.close, descriptor)
    before = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    stack.callback(signal.set_wakeup_fd, before)
    waiting.register(ours, selectors.EVENT_READ, "signal")


if __name__ == "__main__":
    sys.exit(main())
