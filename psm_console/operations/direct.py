"""The second way to a session: past the store, straight to the worker that holds it.

Who may use it is whoever owns the home: there may be no store to look roles up in. The worker
writes order and audit entry as soon as the store takes them again.
"""

from __future__ import annotations

import time
from pathlib import Path

from psm_console.domain.inventory import LOCAL
from psm_console.domain.session import Directive, Verb
from psm_console.domain.text import visible
from psm_console.store import Home
from psm_console.store.control import Answer, Question, ask, control_password, control_sockets

from .errors import Failed, NotFound, Unreachable, Usage, told
from .receipts import PATIENCE_S
from .sessions import require_reason, words

VERBS = frozenset({Verb.PAUSE, Verb.TERMINATE})
"""What stops an operator; whatever lets one go on needs the store and its roles."""


@told
def order_directly(
    home: Home, verb: Verb, session_id: str, reason: str, timeout_s: float = PATIENCE_S
) -> Directive:
    """Order a pause or an end over the worker's control socket; return what became of it. Blocks.

    Raises Unreachable when no worker answers, NotFound when none holds such a session.
    """
    assert verb in VERBS
    if verb is Verb.TERMINATE:
        require_reason(reason)
    home.check()
    deadline = time.monotonic() + timeout_s
    password = control_password(home)
    holder, session = _find(home, password, session_id, deadline)
    left = max(deadline - time.monotonic(), 0.1)
    question = Question(password, session, verb, LOCAL, words(reason, "reason"), left)
    try:
        # A little longer than the worker waits: its answer that it is not done yet is better.
        answer = ask(home, holder, question, left + 1)
    except TimeoutError:
        answer = None
    if answer is None:
        raise Unreachable(f"the broker that holds session {session} does not answer")
    if answer.directive is None:
        raise Failed(visible(answer.refusal, 300) or f"the broker did not {verb} {session}")
    return answer.directive


def _find(home: Home, password: str, session: str, deadline: float) -> tuple[Path, str]:
    """Return the control socket of the worker that holds `session`, and its whole id."""
    found: list[tuple[Path, str]] = []
    answered = silent = 0
    for path in control_sockets(home):
        try:
            left = max(deadline - time.monotonic(), 0.1)
            answer = ask(home, path, Question(password, session), left)
        except TimeoutError:
            silent += 1
            continue
        if answer is not None:
            answered += 1
            found += [(path, match) for match in _matches(answer)]
    if len(found) > 1:
        named = ", ".join(match for _, match in found[:3])
        raise Usage(f"{visible(session, 40)} fits several sessions ({named}); give more characters")
    if found:
        return found[0]
    if silent or not answered:
        raise Unreachable("no broker of this home answers on its control socket")
    raise NotFound(f"no broker of this home holds a live session {visible(session, 40)}")


def _matches(answer: Answer) -> list[str]:
    if answer.refusal:
        raise Failed(visible(answer.refusal, 300))
    return [visible(match, 64) for match in answer.matches]
