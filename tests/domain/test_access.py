"""Who may start a session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psm_console.domain.access import Allowed, Refused, decide
from psm_console.domain.inventory import Account, Grant, Identity, Inventory, KeyFile, Role, Target
from psm_console.domain.names import AccountRef, GrantId

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DB1 = AccountRef("root", "db1")


def inventory(*grants: Grant, roles: frozenset[Role] = frozenset({Role.OPERATOR})) -> Inventory:
    return Inventory(
        {"ana": Identity("ana", roles), "kai": Identity("kai", roles)},
        {"db1": Target("db1", "10.0.0.5", 22, ("ssh-ed25519 AAAA",))},
        {DB1: Account(DB1, KeyFile("/k"))},
        grants,
    )


def grant(operator: str = "ana", **times: Any) -> Grant:
    return Grant(GrantId(f"g-{operator}-{len(times)}"), operator, DB1, **times)


def test_without_a_grant_nobody_gets_in() -> None:
    assert isinstance(decide("ana", DB1, inventory(grant("kai")), NOW), Refused)


def test_a_standing_grant_opens_its_account() -> None:
    decision = decide("ana", DB1, inventory(grant()), NOW)

    assert isinstance(decision, Allowed) and decision.grant == grant()


def test_a_grant_holds_only_in_its_window() -> None:
    hour = timedelta(hours=1)
    future = inventory(grant(starts_at=NOW + hour))
    past = inventory(grant(expires_at=NOW))

    assert isinstance(decide("ana", DB1, future, NOW), Refused)
    assert isinstance(decide("ana", DB1, past, NOW), Refused)
    assert isinstance(decide("ana", DB1, inventory(grant(expires_at=NOW + hour)), NOW), Allowed)


def test_a_standing_grant_is_preferred_to_one_that_expires() -> None:
    both = inventory(grant(expires_at=NOW + timedelta(hours=1)), grant())

    decision = decide("ana", DB1, both, NOW)

    assert isinstance(decision, Allowed) and decision.grant.expires_at is None


def test_a_grant_without_the_operators_role_opens_nothing() -> None:
    assert isinstance(decide("ana", DB1, inventory(grant(), roles=frozenset()), NOW), Refused)


def test_an_unknown_account_and_one_without_a_grant_read_alike() -> None:
    unknown = AccountRef("root", "db9")
    missing = decide("ana", unknown, inventory(), NOW)
    ungranted = decide("ana", DB1, inventory(), NOW)

    assert isinstance(missing, Refused) and isinstance(ungranted, Refused)
    assert missing.reason.replace("db9", "db1") == ungranted.reason


def test_a_grant_that_asks_for_a_supervisor_is_not_undone_by_one_beside_it() -> None:
    answer = decide("ana", DB1, inventory(grant(), grant(supervised=True)), NOW)

    assert isinstance(answer, Allowed) and answer.grant.supervised
