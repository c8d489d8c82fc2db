"""Pause, resume, warn and terminate from the console, and what became of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from psm_console.console.dialogs import AskDialog
from psm_console.domain.inventory import Role
from psm_console.domain.session import Directive, Outcome, Receipt, SessionState, Step, Verb
from psm_console.operations import receipts
from tests.console.driving import console
from tests.console.stage import WORKER, Stage
from tests.support.waiting import eventually


async def ordered(stage: Stage) -> Directive:
    """Wait for an order and claim it as the broker would."""
    pending = await eventually(lambda: stage.store.directives.pending(WORKER), what="an order")
    assert stage.store.directives.claim(pending[0].id, WORKER, datetime.now(UTC))
    return pending[0]


async def test_terminate_asks_for_a_reason_and_the_ids_end_and_shows_the_receipt(
    stage: Stage,
) -> None:
    stage.session("s-7f3a", "ana", "root@db1")
    async with console(stage, link="psm://session/s-7f3a") as seen:
        await seen.shows("● LIVE")
        await seen.press("K")
        await seen.shows("Terminate this session?")
        await seen.types("rm")
        await seen.press("space")
        await seen.types("on")
        await seen.press("enter")
        await seen.types("7f3a")
        await seen.press("enter")
        order = await ordered(stage)
        assert (order.verb, order.reason, order.actor) == (Verb.TERMINATE, "rm on", "local")
        steps = (Step("claimed", 1.2), Step("operator leg closed", 3.4), Step("sealed", 8.0))
        stage.store.directives.finish(order.id, Outcome.DONE, Receipt(steps))
        await seen.shows("✔ terminated")
        await seen.shows("operator leg closed")
        await seen.shows("3.4 ms")
        await seen.shows("8.0 ms")


async def test_enter_alone_cancels(stage: Stage) -> None:
    stage.session("s-7f3a")
    async with console(stage, link="psm://session/s-7f3a") as seen:
        await seen.shows("● LIVE")
        await seen.press("K", "enter")
        await seen.hides("Terminate this session?")
        assert not stage.store.directives.for_session(stage.store.sessions.get("s-7f3a").id)


async def test_terminate_with_the_wrong_id_does_nothing_and_says_so(stage: Stage) -> None:
    stage.session("s-7f3a")
    async with console(stage, link="psm://session/s-7f3a") as seen:
        await seen.shows("● LIVE")
        await seen.press("K")
        await seen.types("why")
        await seen.press("enter")
        await seen.types("0000")
        await seen.press("enter")
        await seen.shows("That is not 7f3a; nothing was done")
        assert isinstance(seen.app.screen, AskDialog)
        assert not stage.store.directives.pending(WORKER)


async def test_an_order_without_a_reason_is_not_given(stage: Stage) -> None:
    stage.session("s-1")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("● LIVE")
        await seen.press("p")
        await seen.shows("Pause this session?")
        await seen.press("tab", "enter")
        await seen.shows("Reason is missing")
        assert not stage.store.directives.pending(WORKER)


async def test_p_pauses_what_runs_and_resumes_what_is_paused(stage: Stage) -> None:
    session = stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        await seen.press("p")
        await seen.types("look")
        await seen.press("enter")
        order = await ordered(stage)
        assert (order.verb, order.reason) == (Verb.PAUSE, "look")
        session.becomes(SessionState.PAUSED, paused_by="local", paused_at=datetime.now(UTC))
        stage.store.directives.finish(order.id, Outcome.DONE, Receipt((Step("gate", 0.4),)))
        await seen.shows("✔ paused in 0.4 ms")
        await seen.shows("Ⅱ paused")
        await seen.press("p")
        await seen.shows("Resume this session?")


async def test_a_warning_carries_its_words(stage: Stage) -> None:
    stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        await seen.press("m")
        await seen.types("stop")
        await seen.press("enter")
        order = await ordered(stage)
        assert (order.verb, order.text) == (Verb.WARN, "stop")
        stage.store.directives.finish(order.id, Outcome.REFUSED, Receipt((), "it has no terminal"))
        await seen.shows("it has no terminal")


async def test_an_order_that_nobody_acknowledges_is_not_confirmed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "PATIENCE_S", 0.6)
    stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        await seen.press("p")
        await seen.types("x")
        await seen.press("enter")
        await seen.shows("pause not confirmed")


async def test_a_failed_step_is_shown_as_failed(stage: Stage) -> None:
    stage.session("s-1")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("● LIVE")
        await seen.press("p")
        await seen.types("x")
        await seen.press("enter")
        order = await ordered(stage)
        steps = (Step("claimed", 1.0), Step("target leg", None, "no answer", failed=True))
        stage.store.directives.finish(order.id, Outcome.DONE, Receipt(steps))
        await seen.shows("✘ paused, but target leg failed")


async def test_read_only_mode_gives_no_orders(stage: Stage) -> None:
    stage.session("s-1")
    async with console(stage, read_only=True) as seen:
        await seen.shows("● active")
        await seen.press("K", "p", "m")
        await seen.pilot.pause()
        assert not isinstance(seen.app.screen, AskDialog)
        assert "read-only" in seen.lines[0]


async def test_an_analyst_may_look_but_not_order(stage: Stage) -> None:
    stage.session("s-1")
    async with console(stage, actor=stage.identity("sue", Role.ANALYST)) as seen:
        await seen.shows("● active")
        await seen.press("K")
        await seen.pilot.pause()
        assert not isinstance(seen.app.screen, AskDialog)


async def test_what_is_lost_can_not_be_ordered_about(stage: Stage) -> None:
    stage.session("s-1")
    stage.stop_broker()
    async with console(stage) as seen:
        await seen.shows("✕ lost")
        await seen.press("K")
        await seen.shows("nobody is left to obey")
