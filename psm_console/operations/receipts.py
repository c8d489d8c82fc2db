"""Waits for what became of an order: the worker's acknowledgement, or the end of patience."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

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
    return wait_all(home, [directive_id], timeout_s)[0]


@told
def wait_all(
    home: Home,
    directive_ids: Sequence[str],
    timeout_s: float = PATIENCE_S,
    *,
    pending_s: float | None = None,
) -> list[Directive]:
    """Return the directives, in order, once all are settled or `timeout_s` seconds are over.

    With `pending_s`, also once that is over and no broker has as much as claimed one of them.
    """
    began = time.monotonic()
    deadline = began + timeout_s
    with contextlib.ExitStack() as stack:
        try:
            bell: Bell | None = stack.enter_context(Bell(home, "store"))
        except OSError:
            bell = None
        store = stack.enter_context(Store.open(home, read_only=True))
        while True:
            found = [store.directives.get(one) for one in directive_ids]
            left = deadline - time.monotonic()
            if left <= 0 or all(one.outcome in SETTLED for one in found):
                return found
            unclaimed = any(one.outcome is Outcome.PENDING for one in found)
            if unclaimed and pending_s is not None and time.monotonic() - began >= pending_s:
                return found
            if bell is None:
                time.sleep(min(_POLL_S, left))
            else:
                bell.wait(min(_POLL_S, left))
