"""Starting the console: what must hold before the terminal is taken over."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from functools import partial
from types import FrameType

from psm_console.domain.inventory import Identity
from psm_console.domain.text import visible
from psm_console.operations.errors import Usage
from psm_console.store import Home

from .app import ConsoleApp
from .link import Link


def start(
    home: Home, actor: Identity, *, read_only: bool, link: str | None, invitation: str = ""
) -> int:
    """Check terminal and link, run the application, return its exit code."""
    parsed = None
    if link is not None:
        parsed = Link.parse(link)
        if parsed is None:
            raise Usage(
                f"{visible(link, 80)} is no link; write psm://session/ID or psm://session/ID@SECONDS"
            )
    term = os.environ.get("TERM", "")
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise Usage("the console needs a terminal; in a pipe or a script use psm session ls --json")
    if term in ("", "dumb", "unknown"):
        raise Usage(
            f"the terminal says TERM={term or '(nothing)'} and can not be drawn on; set TERM to "
            "what it is, for example xterm-256color, or use psm session ls"
        )
    app = ConsoleApp(home, actor, read_only=read_only, link=parsed, invitation=invitation)
    # What was imported stays: looking through it again and again would halt the picture.
    gc.collect()
    gc.freeze()
    # SIGHUP: the window was closed, or the connection that the console runs over was cut.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, partial(_told_to_leave, app))
    app.run()
    return app.return_value if app.return_value is not None else app.return_code or 0


def _told_to_leave(app: ConsoleApp, number: int, frame: FrameType | None) -> None:
    """Leave as with a key: what is watched is noted as left, and the terminal is given back."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.exit(128 + number)
    loop.call_soon_threadsafe(app.exit, 128 + number)
