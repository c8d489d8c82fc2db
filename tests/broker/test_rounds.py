"""Looking after many sessions: none is forgotten, and none waits while all others are looked at."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import cast

import pytest

from psm_console.broker.session.driver import SessionDriver
from psm_console.broker.session.rounds import Rounds
from psm_console.domain.names import SessionId
from tests.support.waiting import eventually

LIVE = 200


async def test_a_round_looks_at_every_session_and_at_few_of_them_in_one_turn_of_the_loop() -> None:
    # What a driver does is none of a round's business.
    drivers = {SessionId(f"s{n}"): cast(SessionDriver, f"s{n}") for n in range(LIVE)}
    looks: Counter[SessionDriver] = Counter()
    turn, turns = 0, Counter[int]()

    def look(driver: SessionDriver) -> None:
        looks[driver] += 1
        turns[turn] += 1
        # It ends while the round goes on.
        drivers.pop(SessionId("s199"), None)

    going = asyncio.ensure_future(Rounds(drivers, look, lambda: None).run())

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    await eventually(lambda: len(looks) == LIVE - 1, what="every session to be looked at")
    for task in (going, counting):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert max(turns.values()) <= LIVE // 20
    assert cast(SessionDriver, "s199") not in looks


async def test_a_session_that_can_not_be_looked_after_keeps_no_other_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drivers = {SessionId(name): cast(SessionDriver, name) for name in "abc"}
    looks: list[str] = []
    ends = 0

    def look(driver: SessionDriver) -> None:
        if str(driver) == "a":
            raise LookupError("an odd mistake")
        looks.append(str(driver))

    def looked() -> None:
        nonlocal ends
        ends += 1

    going = asyncio.ensure_future(Rounds(drivers, look, looked).run())
    await eventually(lambda: len(looks) >= 2 or going.done(), what="the others to be looked at")
    going.cancel()
    await asyncio.wait({going})

    assert going.cancelled() and looks == ["b", "c"] and ends >= 2
    assert "an odd mistake" in caplog.text
