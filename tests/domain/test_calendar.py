"""Days that clocks are set to by mistake: the first of Unix time, and those past 2038."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from psm_console.domain.access import Allowed, Refused, decide
from psm_console.domain.inventory import (
    Account,
    Grant,
    Identity,
    Inventory,
    KeyFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef, GrantId
from psm_console.domain.policy import Limits
from psm_console.domain.timers import Timers

pytestmark = pytest.mark.fault

ROOT = AccountRef("root", "db1")
HOUR = timedelta(hours=1)
DAYS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
    datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC),
    datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC),
]


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_grant_holds_from_its_first_to_before_its_last_instant_on_any_day(day: datetime) -> None:
    grant = Grant(GrantId("g-1"), "ana", ROOT, starts_at=day, expires_at=day + HOUR)
    inventory = Inventory(
        {"ana": Identity("ana", frozenset({Role.OPERATOR}))},
        {"db1": Target("db1", "10.0.0.5", 22, ())},
        {ROOT: Account(ROOT, KeyFile("/key"))},
        (grant,),
    )
    instant = timedelta(microseconds=1)
    inside = (day, day + HOUR / 2, day + HOUR - instant)
    outside = (day - instant, day + HOUR, day + 2 * HOUR)
    assert all(isinstance(decide("ana", ROOT, inventory, now), Allowed) for now in inside)
    assert all(isinstance(decide("ana", ROOT, inventory, now), Refused) for now in outside)


def test_a_sleep_of_years_ends_a_session_and_nothing_else() -> None:
    limits = Limits(idle_s=60.0, duration_s=3600.0, warn_s=10.0)
    timers = Timers(limits, grant_expires_at=1800.0)
    years = timedelta(days=20_000).total_seconds()
    ended = list(timers.due(years))
    assert len(ended) == 1 and ended[0].ends
