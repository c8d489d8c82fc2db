"""The host CA is made once, exchanged with a reason, and every step of that is noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from psm_console.credentials import fingerprint
from psm_console.operations import (
    Denied,
    HostCaLines,
    NotFound,
    Usage,
    init,
    init_ca,
    list_audit,
    local_identity,
    open_store,
    prepare_ca,
    rotate_ca,
    show_ca,
    way_in,
)
from psm_console.store import Home
from tests.store.factories import NOON

from .office import Office


def test_init_makes_the_ca_once_and_says_so_in_the_audit_log(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, NOON)
    with open_store(home) as store:
        local = local_identity(store, home)
        made = show_ca(store, local, NOON)
        assert init_ca(store, local, NOON) == made
        (entry,) = store.audit.list()
        assert entry.action == "home.init"
        assert fingerprint(made.current) in str(entry.detail)


def test_a_home_from_before_there_was_a_ca_gets_one_and_that_is_noted(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, NOON)
    home.host_ca.unlink()
    home.host_ca.with_name("host_ca.pub").unlink()
    with open_store(home) as store:
        local = local_identity(store, home)
        with pytest.raises(NotFound, match="psm ca init"):
            show_ca(store, local, NOON)

    init(home, NOON)

    with open_store(home) as store:
        made = show_ca(store, local, NOON)
        assert [entry.action for entry in store.audit.list()] == ["home.init", "ca.init"]
        assert fingerprint(made.current) in str(store.audit.list()[-1].detail)


def test_a_prepared_key_is_shown_beside_the_old_one_and_then_takes_its_place(
    place: Office,
) -> None:
    admin = place.who("admin")
    before = show_ca(place.store, admin, place.now)

    prepared = prepare_ca(place.store, admin, place.now)
    again = prepare_ca(place.store, admin, place.now)
    rotated = rotate_ca(place.store, admin, "planned", place.now)
    at_once = rotate_ca(place.store, admin, "it leaked", place.now)

    assert (prepared.current, again) == (before.current, prepared)
    assert prepared.prepared is not None
    assert _key(rotated) == prepared.prepared.split()[1] and rotated.prepared is None
    assert _key(at_once) not in (_key(before), _key(rotated))
    noted = list_audit(place.store, place.who("auditor"), place.now, action="ca.rotate")
    assert ["planned" in str(noted[0].detail), "it leaked" in str(noted[1].detail)] == [True, True]
    assert fingerprint(before.current) in str(noted[0].detail)


def _key(lines: HostCaLines) -> str:
    return lines.current.split()[1]


def test_a_rotation_without_a_reason_changes_nothing(place: Office) -> None:
    admin = place.who("admin")
    before = show_ca(place.store, admin, place.now)

    with pytest.raises(Usage, match="--reason"):
        rotate_ca(place.store, admin, "  ", place.now)

    assert show_ca(place.store, admin, place.now) == before


@pytest.mark.attack
def test_an_operator_learns_the_way_to_their_own_targets_only(place: Office) -> None:
    ana = place.who("ana")

    assert way_in(place.store, ana, place.now).targets == ("db1",)
    assert way_in(place.store, ana, place.now, operator="ana").operator == "ana"
    with pytest.raises(Denied):
        way_in(place.store, ana, place.now, operator="operator")
    bare = place.who("operator")
    assert way_in(place.store, bare, place.now).targets == ()


def test_who_may_read_the_inventory_is_told_of_all_targets_or_of_one_operators(
    place: Office,
) -> None:
    admin = place.who("admin")

    everything = way_in(place.store, admin, place.now)

    assert (everything.operator, everything.targets) == (None, ("db1",))
    assert way_in(place.store, admin, place.now, operator="ana").targets == ("db1",)
    assert way_in(place.store, admin, place.now, operator="operator").targets == ()
    with pytest.raises(NotFound, match="no identity nobody-here"):
        way_in(place.store, admin, place.now, operator="nobody-here")
