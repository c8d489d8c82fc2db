"""Counts that several workers share: limits hold over all of them, and go with who dies."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from psm_console.broker.entry.attendance import Attendance
from psm_console.broker.entry.doorway import Doorway
from psm_console.broker.entry.tally import SLOTS, Tally, allot

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


def test_no_key_takes_part_in_another_s_limit(shared: int) -> None:
    one, two = Tally(shared, 1), Tally(shared, 2)
    keys = [f"address 192.0.2.{number}" for number in range(SLOTS)]
    for number, key in enumerate(keys):
        (one, two)[number % 2].count(key, number + 1)

    sample = range(0, SLOTS, 37)
    assert [one.total(keys[number]) for number in sample] == [number + 1 for number in sample]
    assert two.total("address 192.0.2.x") == 0


def test_two_hashes_side_by_side_are_not_a_third(
    shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tally, "_digest", lambda tally, key: key.encode())
    one = Tally(shared, 1)
    one.count("....ABCD", 5)
    one.count("EFGH....", 6)
    assert one.total("ABCDEFGH") == 0
    one.count("ABCDEFGH", 7)
    assert one.total("ABCDEFGH") == 7


def test_keys_that_find_no_place_share_a_count_and_are_never_uncounted(shared: int) -> None:
    one, two = Tally(shared, 1), Tally(shared, 2)
    for number in range(SLOTS + 2):
        one.count(f"{number}", 1)
    assert two.total(f"{SLOTS}") == 2 and two.total("0") == 3

    one.count(f"{SLOTS}", -1)
    one.count(f"{SLOTS + 1}", -1)
    one.count("0", -1)
    assert [two.total(key) for key in ("0", "1", f"{SLOTS}")] == [0, 1, 0]
    one.count("newcomer", 1)
    assert two.total("newcomer") == 1 and two.total("0") == 0
