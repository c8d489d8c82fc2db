"""What happens once wakes all who wait for it, and forgets who waits no more."""

from __future__ import annotations

import asyncio

from psm_console.broker.happening import Happening


async def test_all_who_wait_go_on_when_it_happens() -> None:
    happening = Happening()
    waiting = [asyncio.create_task(happening.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not happening.is_set() and not any(task.done() for task in waiting)

    happening.set()

    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert happening.is_set() and happening._waiting == ()


async def test_once_it_has_happened_nobody_waits() -> None:
    happening = Happening()
    happening.set()
    happening.set()

    await asyncio.wait_for(happening.wait(), 5)


async def test_who_is_cancelled_is_forgotten_and_the_others_go_on() -> None:
    happening = Happening()
    late, patient = (asyncio.create_task(happening.wait()) for _ in range(2))
    await asyncio.sleep(0)

    late.cancel()
    happening.set()

    await asyncio.wait_for(patient, 5)
    await asyncio.wait({late})
    assert late.cancelled() and happening._waiting == ()
