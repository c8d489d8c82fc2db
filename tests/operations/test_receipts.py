"""Waiting for an answer ends with it, at once, or says how things stand when time is up."""

from __future__ import annotations

import threading
import time

import pytest

from psm_console.domain.session import Outcome, Receipt, Step
from psm_console.operations import NotFound, pause, receipts, wait
from psm_console.store import Store

from .office import WORKER, Office


def answer(place: Office, directive_id: str, *outcomes: Outcome) -> threading.Thread:
    """Answer as a worker would, from another connection."""

    def work() -> None:
        with Store.open(place.home) as store:
            found = store.directives.get(directive_id)
            assert store.directives.claim(found.id, WORKER, place.now)
            for outcome in outcomes:
                store.directives.finish(found.id, outcome, Receipt((Step("gate", 1.0),)))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("bell", [True, False])
@pytest.mark.parametrize("outcome", sorted(receipts.SETTLED))
def test_it_returns_when_the_order_is_settled(
    place: Office, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, bell: bool
) -> None:
    place.begin()
    directive = pause(place.store, place.who("supervisor"), "s-7100", "", place.now)
    if bell:
        monkeypatch.setattr(receipts, "_POLL_S", 30)
    else:
        monkeypatch.setattr(receipts, "_POLL_S", 0.01)
        monkeypatch.setattr(receipts, "Bell", _no_bell)
    begun = time.monotonic()

    thread = answer(place, directive.id, Outcome.CLAIMED, outcome)
    found = wait(place.home, directive.id, 20)

    thread.join()
    assert (found.outcome, found.receipt.steps) == (outcome, (Step("gate", 1.0),))
    assert time.monotonic() - begun < 15


def _no_bell(*_: object) -> None:
    raise PermissionError


def test_an_unanswered_order_comes_back_as_it_stands(place: Office) -> None:
    place.begin()
    directive = pause(place.store, place.who("supervisor"), "s-7100", "", place.now)

    assert wait(place.home, directive.id, 0.02).outcome is Outcome.PENDING

    answer(place, directive.id).join()
    assert wait(place.home, directive.id, 0).outcome is Outcome.CLAIMED


def test_an_order_that_is_not_there_says_so(place: Office) -> None:
    with pytest.raises(NotFound):
        wait(place.home, "d-none", 1)
