"""Counts that several workers share: limits hold over all of them, and go with who dies."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from psm_console.broker.entry.attendance import Attendance
from psm_console.broker.entry.doorway import Doorway
from psm_console.broker.entry.tally import Tally, allot

pytestmark = pytest.mark.attack


@pytest.fixture
def shared() -> Iterator[int]:
    descriptor = allot()
    yield descriptor
    os.close(descriptor)


def test_the_cap_on_an_identity_s_connections_holds_over_all_workers(shared: int) -> None:
    one, two = Attendance(Tally(shared, 1)), Attendance(Tally(shared, 2))
    assert [one.enter("ana", 3), two.enter("ana", 3), one.enter("ana", 3)] == [True] * 3
    assert not two.enter("ana", 3) and not one.enter("ana", 3)
    assert two.enter("sue", 3)
    one.leave("ana")
    assert two.enter("ana", 3)


def test_what_a_dead_worker_had_counted_goes_with_it(shared: int) -> None:
    one, two = Tally(shared, 1), Tally(shared, 2)
    one.count("identity ana", 5)
    assert two.total("identity ana") == 5
    two.clear(1)
    assert two.total("identity ana") == 0


def test_logins_in_progress_are_capped_over_all_workers(shared: int) -> None:
    def clock() -> float:
        return 0.0

    doors = [Doorway(clock, Tally(shared, row)) for row in (1, 2)]
    entered = sum(
        doors[number % 2].enter(object(), "192.0.2.1", lambda: None) for number in range(100)
    )
    assert entered == 64
    assert doors[0].enter(object(), "192.0.2.2", lambda: None)


def test_who_holds_more_connections_is_ahead_of_who_holds_fewer(shared: int) -> None:
    one, two = Tally(shared, 1), Tally(shared, 2)
    one.carry(3)
    two.carry(1)
    assert (one.ahead(), two.ahead()) == (2, 0)
    two.leave()
    assert one.ahead() == 0
