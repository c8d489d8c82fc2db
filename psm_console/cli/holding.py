"""`psm session pause --hold`: stays and renews the lease, until ^C or the end of the pause."""

from __future__ import annotations

import time

from psm_console.domain.session import Directive

from .context import Invocation
from .output import say


def hold_on(invocation: Invocation, given: Directive) -> int:
    """Watch over the pause that `given` ordered; 0 when it was ended by somebody else."""
    from psm_console.operations import RENEW_S, Hold, PsmError, keep_holding, stop_holding

    say("You hold the pause. ^C leaves it to others: the session stays paused, and they are told.")
    with invocation.store() as (store, actor):
        hold = Hold(given, actor)
        try:
            while True:
                try:
                    if not keep_holding(store, hold):
                        say("The pause is over, or somebody else holds it.")
                        return 0
                except PsmError as error:
                    say(f"{error}; trying again")
                time.sleep(RENEW_S)
        finally:
            stop_holding(store, hold)
