"""Waits for what became of an order: the worker's acknowledgement, or the end of patience."""

from __future__ import annotations

import contextlib
import time

from psm_console.domain.session import Directive, Outcome
from psm_console.store import Bell, Home, Store

from .errors import told

PATIENCE_S = 5.0
_POLL_S = 0.25
SETTLED = frozenset({Outcome.DONE, Outcome.REFUSED, Outcome.FAILED})


@told
def wait(home: Home, directive_id: str, timeout_s: float = PATIENCE_S) -> Directive:
    """Return the directive once it is settled, or as it stands after `timeout_s` seconds.

    Blocks; one that is still pending or claimed then is *not confirmed*, never done.
    """
    deadline = time.monotonic() + timeout_s
    with contextlib.ExitStack() as stack:
        try:
            bell: Bell | None = stack.enter_context(Bell(home, "store"))
        except OSError:
            bell = None
        store = stack.enter_context(Store.open(home, read_only=True))
        while True:
            directive = store.directives.get(directive_id)
            left = deadline - time.monotonic()
            if directive.outcome in SETTLED or left <= 0:
                return directive
            if bell is None:
                time.sleep(min(_POLL_S, left))
            else:
                bell.wait(min(_POLL_S, left))
