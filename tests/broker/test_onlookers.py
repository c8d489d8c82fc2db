"""Whoever watches a session is woken; nobody else costs anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from psm_console.broker.onlookers import Onlookers
from psm_console.domain.names import SessionId
from psm_console.store import Bell, Home, Ringer
from tests.store.factories import make_home
from tests.support.waiting import eventually

ONE, TWO = SessionId("one"), SessionId("two")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that exists."""
    return make_home(tmp_path)


async def test_somebody_who_has_just_begun_to_watch_is_woken(home: Home) -> None:
    onlookers = Onlookers(home)
    onlookers.appended(ONE)
    with Bell(home, ONE) as bell, Bell(home, TWO) as other:
        onlookers.appended(ONE)

        await eventually(bell.drain, what="the first ring")
        assert not other.drain()
    onlookers.close()


async def test_who_watches_already_is_woken_in_the_same_turn_of_the_loop(home: Home) -> None:
    onlookers = Onlookers(home)
    with Bell(home, ONE) as bell:
        onlookers.appended(ONE)
        await eventually(bell.drain, what="the first ring")

        onlookers.appended(ONE)
        onlookers.appended(ONE)
        await asyncio.sleep(0)

        assert bell.drain()
        await asyncio.sleep(0)
        assert not bell.drain()

        onlookers.appended(ONE)
        await asyncio.sleep(0)
        assert bell.drain(), "each time, not only the first"
    onlookers.close()


async def test_sessions_that_nobody_watches_are_looked_for_once_together(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[str, ...]] = []
    monkeypatch.setattr(Ringer, "ring", lambda self, *topics: rung.append(topics))
    onlookers = Onlookers(home)

    for _ in range(100):
        onlookers.appended(ONE)
        onlookers.appended(TWO)
        await asyncio.sleep(0)

    await eventually(lambda: rung, what="a look")
    assert sorted(rung[0]) == [ONE, TWO]
    onlookers.close()
