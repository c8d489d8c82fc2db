"""An order is delivered to the worker that holds the session, once."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.domain.names import DirectiveId, SessionId, WorkerId
from psm_console.domain.session import Outcome, Receipt, Step, Verb
from psm_console.store import NotFound, Store, StoreError

from .factories import NOON, WORKER, make_directive, make_session, make_store, register


def test_an_order_reads_back_as_it_was_written(tmp_path: Path) -> None:
    order = make_directive(verb=Verb.WARN, text="stop that", reason="CHG-1")
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())

        store.directives.add(order)

        assert store.directives.get("d-1") == order
        assert store.directives.for_session(SessionId("s-7100")) == [order]
        with pytest.raises(NotFound):
            store.directives.get("d-2")


def test_an_order_about_a_session_that_never_was_is_refused(tmp_path: Path) -> None:
    with make_store(tmp_path) as store, pytest.raises(StoreError):
        store.directives.add(make_directive(session="s-none"))


def test_a_worker_is_given_open_orders_for_its_own_sessions_ended_ones_too(
    tmp_path: Path,
) -> None:
    with make_store(tmp_path) as store:
        register(store)
        for name, worker in (("mine", WORKER), ("ended", WORKER), ("other", WorkerId("w-2"))):
            store.sessions.begin(make_session(name, worker=worker))
            store.directives.add(make_directive(f"d-{name}", name))
        store.directives.add(
            make_directive("d-first", "mine", requested_at=NOON - timedelta(seconds=1))
        )
        store.directives.add(make_directive("d-taken", "mine", outcome=Outcome.CLAIMED))
        store.sessions.end(SessionId("ended"), NOON)

        pending = store.directives.pending(WORKER)

        assert [one.id for one in pending] == ["d-first", "d-mine", "d-ended"]


@pytest.mark.fault
def test_of_many_who_claim_an_order_at_once_one_wins(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())
        store.directives.add(make_directive())
        won: list[str] = []
        ready = threading.Barrier(6)

        def claim(name: str) -> None:
            with Store.open(store.home) as mine:
                ready.wait(10)
                if mine.directives.claim(DirectiveId("d-1"), WorkerId(name), NOON):
                    won.append(name)

        threads = [threading.Thread(target=claim, args=(f"w-{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(won) == 1
        claimed = store.directives.get("d-1")
        assert (claimed.outcome, claimed.claimed_by) == (Outcome.CLAIMED, won[0])


def test_the_receipt_grows_with_each_step(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())
        store.directives.add(make_directive())
        first = Receipt((Step("claimed", 1.5),))
        whole = Receipt((Step("claimed", 1.5), Step("sealed", None, "disk", failed=True)), "no")

        store.directives.finish(DirectiveId("d-1"), Outcome.CLAIMED, first)
        assert store.directives.get("d-1").receipt == first
        store.directives.finish(DirectiveId("d-1"), Outcome.FAILED, whole)

        read = store.directives.get("d-1")
        assert (read.outcome, read.receipt) == (Outcome.FAILED, whole)
        with pytest.raises(NotFound):
            store.directives.finish(DirectiveId("d-2"), Outcome.DONE, whole)
