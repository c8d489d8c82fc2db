"""The wall clock is set, forwards and back: spans stay what they are, and nobody gets more time."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from psm_console.domain.inventory import Inventory
from psm_console.domain.session import SessionState
from psm_console.store import Store
from psm_console.store.store import utc_now
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.fault

LONGEST_S = 7.0
CONFIG = f"[limits]\nduration_s = {LONGEST_S}\nwarn_s = 1.0\n"
GRANT_S = 6.0

STEPS = [
    timedelta(hours=1),
    timedelta(hours=-1),
    datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC) - datetime.now(UTC),
    datetime(2039, 1, 1, tzinfo=UTC) - datetime.now(UTC),
]
"""How far off the time of day gets, one after the other."""


class WallClock:
    """What every part of the broker, and who asks its store, takes for the time of day."""

    def __init__(self) -> None:
        self.off = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.off


@contextmanager
def set_clock() -> Iterator[WallClock]:
    """Yield a clock that all modules read in place of their own."""
    clock = WallClock()
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("psm_console.") and "utc_now" in vars(module):
                stack.enter_context(mock.patch.object(module, "utc_now", clock))
        opened = Store.open.__func__  # type: ignore[attr-defined]
        stack.enter_context(mock.patch.dict(opened.__kwdefaults__, {"clock": clock}))
        yield clock


class Timed(Stand):
    """A stand on which ana's grant expires some seconds after it was given."""

    grant_s: float | None = None

    def inventory(self) -> Inventory:
        found = super().inventory()
        if self.grant_s is None:
            return found
        expires = datetime.now(UTC) + timedelta(seconds=self.grant_s)
        grants = (dataclasses.replace(found.grants[0], expires_at=expires),)
        return dataclasses.replace(found, grants=grants)


@pytest.fixture(scope="module")
def clock() -> Iterator[WallClock]:
    with set_clock() as found:
        yield found


@pytest.fixture(scope="module")
def shared_stand(clock: WallClock) -> Iterator[Stand]:
    """A broker whose sessions may last some seconds, on a clock that a test can set."""
    with Timed(config=CONFIG) as running:
        yield running


@pytest.fixture(autouse=True)
def _set_back(clock: WallClock, stand: Stand) -> Iterator[None]:
    yield
    stand.tidy()
    clock.off = timedelta()


def test_it_is_the_clock_of_the_whole_broker(clock: WallClock, stand: Stand) -> None:
    clock.off = timedelta(days=1)
    assert stand.read(lambda store: store.clock()) - datetime.now(UTC) > timedelta(hours=23)
    assert utc_now() - datetime.now(UTC) < timedelta(seconds=1), "what a test keeps is not changed"


def test_a_session_lasts_its_longest_duration_whatever_the_wall_clock_does(
    clock: WallClock, stand: Stand
) -> None:
    def beaten() -> bool:
        workers = stand.read(lambda store: store.workers.list())
        return any(abs(one.heartbeat_at - clock()) < timedelta(minutes=1) for one in workers)

    began = time.monotonic()
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()
        for clock.off in STEPS:
            eventually_sync(beaten, what="a heartbeat under the new time of day")
        tty.wait_for("the longest duration")
        assert tty.wait_exit() == 254
    took = time.monotonic() - began

    def ended() -> bool:
        return stand.read(lambda store: store.sessions.get(session.id)).ended_at is not None

    eventually_sync(ended, what="the session's end")
    found = stand.read(lambda store: store.sessions.get(session.id))
    recording = stand.read(lambda store: store.recordings.get(session.id))
    assert found.state is SessionState.ENDED
    assert recording.duration_s is not None and LONGEST_S <= recording.duration_s <= took
    # A new one begins under the new time of day.
    assert stand.client.run(stand.user, "echo on").stdout == b"on\n"
    assert stand.read(lambda store: store.audit.verify(None)).ok


def test_a_grant_is_not_prolonged_by_a_clock_that_is_set_back(
    clock: WallClock, stand: Stand
) -> None:
    assert isinstance(stand, Timed)
    stand.grant_s = GRANT_S
    try:
        stand.apply(stand.inventory())
        with stand.client.terminal(stand.user, "echo ready; cat") as tty:
            tty.wait_for("ready")
            clock.off = timedelta(minutes=-30)
            tty.wait_for("the grant has expired")
            assert tty.wait_exit() == 254
    finally:
        stand.grant_s = None
        stand.apply(stand.inventory())
