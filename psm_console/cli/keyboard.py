"""Single keys from a real terminal, which is given back as it was."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator, Sequence

from .painter import ENTER, LEAVE

INTERRUPT = "\x03"
_NAMED = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1b": "escape",
    " ": "space",
}


class Keyboard:
    """`with keyboard() as keys:` the screen is ours and keys come one by one, unechoed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wait(self, timeout_s: float, also: Sequence[int] = ()) -> list[str]:
        """Return the keys pressed within `timeout_s`; earlier when one of `also` is readable."""
        ready, _, _ = select.select([self._descriptor, *also], [], [], max(timeout_s, 0))
        if self._descriptor not in ready:
            return []
        data = os.read(self._descriptor, 1024)
        if not data:
            # The terminal is gone; nobody is looking any more.
            return ["q"]
        return _keys(data.decode("utf-8", "replace"))


def _keys(text: str) -> list[str]:
    found: list[str] = []
    while text:
        name = next(
            (one for one in sorted(_NAMED, key=len, reverse=True) if text.startswith(one)), ""
        )
        if name:
            found.append(_NAMED[name])
            text = text[len(name) :]
        else:
            found.append(text[0])
            text = text[1:]
    return found


@contextlib.contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Take the terminal for as long as the block lasts."""
    descriptor = sys.stdin.fileno()
    kept = termios.tcgetattr(descriptor)
    screen = sys.stdout.fileno()
    sys.stdout.flush()
    try:
        tty.setcbreak(descriptor)
        os.write(screen, ENTER.encode())
        yield Keyboard(descriptor)
    finally:
        with contextlib.suppress(OSError, termios.error):
            os.write(screen, LEAVE.encode())
            termios.tcsetattr(descriptor, termios.TCSADRAIN, kept)
