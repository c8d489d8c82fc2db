"""A visit whose connection is cut: what its visitor watched and held is not watched or held on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from psm_console.domain.session import SessionState
from tests.support.processes import is_gone
from tests.support.waiting import eventually_sync

from .stand import Stand
from .visiting import House

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker that sue may visit."""
    with House() as running:
        yield running


@pytest.fixture
def house(stand: Stand) -> Iterator[House]:
    assert isinstance(stand, House)
    yield stand
    stand.nobody_left()


def holds(house: House) -> int:
    """How many leases on pauses there are."""
    with closing(sqlite3.connect(f"file:{house.home.database}?mode=ro", uri=True)) as raw:
        return int(raw.execute("SELECT count(*) FROM holds").fetchone()[0])


def test_a_console_over_ssh_that_is_cut_is_noted_as_watching_no_more(house: House) -> None:
    house.popen("cat")
    house.session()
    with house.client.terminal("sue", columns=100, rows=30) as terminal:
        terminal.wait_for("active")
        terminal.type("\r")
        eventually_sync(lambda: house.noted("session.shadow", "sue"), what="the shadow")
        child = house.child()
        terminal.process.kill()
        eventually_sync(lambda: is_gone(child), what="the end of the console")
    eventually_sync(
        lambda: len(house.noted("session.unshadow", "sue")) == len(house.noted("session.shadow")),
        what="the end of all watching",
    )


def test_a_pause_held_over_ssh_that_is_cut_stays_and_is_held_no_more(house: House) -> None:
    house.popen("cat")
    session = house.session()
    holder = house.client.popen("sue", f"session pause {session.id} --hold --reason look")
    try:
        eventually_sync(lambda: holds(house) == 1, what="the lease on the pause")
        holder.kill()
        holder.wait()
        eventually_sync(lambda: house.session().attention is not None, what="the others to be told")
        assert house.session().state is SessionState.PAUSED
    finally:
        holder.kill()
        holder.communicate()
