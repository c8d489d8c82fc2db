"""A console holds the pauses that it orders; others learn when nobody does."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from psm_console.domain.inventory import Role
from psm_console.domain.pause import UNWATCHED
from psm_console.domain.session import Directive, Held, Outcome, Receipt, SessionState, Verb
from psm_console.domain.supervision import UNSUPERVISED
from tests.console.driving import console
from tests.console.stage import WORKER, Stage, StagedSession
from tests.support.waiting import eventually


async def ordered(stage: Stage) -> Directive:
    """Wait for an order and claim it as the broker would."""
    pending = await eventually(lambda: stage.store.directives.pending(WORKER), what="an order")
    assert stage.store.directives.claim(pending[0].id, WORKER, datetime.now(UTC))
    return pending[0]


def pauses(stage: Stage, session: StagedSession, by: str = "local") -> None:
    session.becomes(SessionState.PAUSED, paused_by=by, paused_at=datetime.now(UTC))


async def test_a_console_renews_the_lease_of_its_pause_and_gives_it_back_when_it_is_left(
    stage: Stage,
) -> None:
    session = stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        await seen.press("p")
        await seen.types("look")
        await seen.press("enter")
        order = await ordered(stage)
        assert order.hold
        pauses(stage, session)
        stage.store.directives.finish(order.id, Outcome.DONE, Receipt())
        await eventually(lambda: stage.store.holds.beats(WORKER).get(order.hold, 0) >= 3)
        await seen.press("q")
        await seen.shows("This console holds a pause")
    assert stage.store.holds.beats(WORKER) == {}


async def test_a_pause_that_was_resumed_is_held_no_more(stage: Stage) -> None:
    session = stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        await seen.press("p")
        await seen.types("look")
        await seen.press("enter")
        order = await ordered(stage)
        pauses(stage, session)
        stage.store.directives.finish(order.id, Outcome.DONE, Receipt())
        await seen.shows("Ⅱ paused")
        session.becomes(SessionState.ACTIVE)
        await eventually(lambda: stage.store.holds.beats(WORKER) == {})
        # It learns that it gave the hold back right after the store did.
        await eventually(lambda: seen.app.place.desk.holding == 0)


async def test_others_are_told_when_a_pause_loses_who_held_it_and_can_hold_it(
    stage: Stage,
) -> None:
    session = stage.session("s-1")
    pauses(stage, session, by="kim")
    async with console(stage) as seen:
        await seen.shows("Ⅱ paused")
        stage.store.sessions.set_attention(session.id, UNWATCHED)
        await seen.shows("nobody holds the pause")
        await seen.press("p")
        await seen.shows("Hold the pause")
        await seen.types("mine")
        await seen.press("tab", "tab", "enter")
        order = await ordered(stage)
        assert (order.verb, bool(order.hold)) == (Verb.PAUSE, True)


async def test_a_supervised_session_that_waits_is_told_even_when_it_begins_so(
    stage: Stage,
) -> None:
    stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("ana")
        second = stage.session("s-2")
        with stage.store.transaction():
            pauses(stage, second, by="broker")
            stage.store.sessions.set_attention(second.id, f"{UNSUPERVISED}; {UNWATCHED}")
        await seen.shows("shadow it, then resume")


async def test_a_resume_offers_to_close_what_has_input_that_waits(stage: Stage) -> None:
    session = stage.session("s-1", pty=False)
    pauses(stage, session, by="kim")
    stage.store.sessions.set_held(session.id, [Held(1, 4096)])
    async with console(stage) as seen:
        await seen.shows("Ⅱ paused")
        await seen.press("p")
        await seen.shows("channel 1 (4.1 kB)")
        await seen.types("no")
        await seen.press("tab", "tab", "enter")
        order = await ordered(stage)
        assert (order.verb, order.close_held) == (Verb.RESUME, True)


@pytest.mark.attack
async def test_who_may_look_no_longer_sees_nothing_more_within_two_seconds(stage: Stage) -> None:
    session = stage.session("s-1")
    session.prints(b"visible secret\r\n")
    sue = stage.identity("sue", Role.ANALYST)
    async with console(stage, actor=sue, link="psm://session/s-1") as seen:
        await seen.shows("visible secret")
        inventory = stage.store.inventory.load()
        demoted = {**inventory.identities, "sue": replace(sue, roles=frozenset({Role.OPERATOR}))}
        stage.store.inventory.replace(replace(inventory, identities=demoted))
        began = time.monotonic()
        await eventually(lambda: not seen.app.place.desk._watches, what="the watch to end")
        # 2 s are promised; the rest is for a machine that is busy.
        assert time.monotonic() - began < 4
        await seen.hides("visible secret")
