"""`apply` makes the inventory equal to the file, and ends what stood on what it takes away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from psm_console.credentials import make_key
from psm_console.domain.inventory import (
    CONSOLE_ROLES,
    Account,
    Grant,
    Identity,
    IdentityKind,
    Inventory,
    KeyFile,
    PasswordFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef, GrantId
from psm_console.domain.session import Outcome, SessionState, Verb
from psm_console.operations import (
    Applied,
    Denied,
    Failed,
    NotFound,
    Usage,
    add_account,
    add_grant,
    add_identity,
    apply,
    grant_id,
    remove_account,
    remove_grant,
    remove_identity,
    remove_target,
)
from psm_console.store import Bell, StoreError
from tests.store.factories import NOON

from .office import GRANT, ROOT, Office

Edit = Callable[[Inventory], Inventory]


def change(place: Office, edit: Edit) -> Applied:
    """Apply the present inventory with one change."""
    wanted = edit(place.store.inventory.load())
    return apply(place.store, place.who("local"), wanted, place.now)


def without(inventory: Inventory, *, identity: str = "", grants: bool = True) -> Inventory:
    """Return the inventory without an identity, and without all grants unless told."""
    kept = {name: one for name, one in inventory.identities.items() if name != identity}
    return replace(inventory, identities=kept, grants=inventory.grants if grants else ())


def test_the_stored_inventory_equals_the_declared_one_and_local_stays(place: Office) -> None:
    declared = replace(place.store.inventory.load(), grants=())
    declared.identities.pop("local")
    declared.identities.pop("nobody")

    done = apply(place.store, place.who("local"), declared, place.now)

    stored = place.store.inventory.load()
    assert stored.identities.pop("local").roles == CONSOLE_ROLES
    assert stored == declared
    assert done.removed == ("identity nobody", f"grant ana → root@db1 ({GRANT})")
    assert (done.added, done.changed, done.ended) == ((), (), ())


def test_applying_the_same_again_changes_and_notes_nothing(place: Office) -> None:
    before = (place.store.inventory.version(), len(place.actions()))

    done = change(place, lambda one: one)

    assert done.nothing
    assert (place.store.inventory.version(), len(place.actions())) == before


def test_what_changed_is_told_and_noted(place: Office) -> None:
    bo = Identity("bo", frozenset({Role.ANALYST}))
    sue = Identity("supervisor", frozenset({Role.SUPERVISOR, Role.REVIEWER}))

    done = change(
        place,
        lambda one: replace(one, identities={**one.identities, "bo": bo, "supervisor": sue}),
    )

    assert (done.added, done.changed) == (("identity bo",), ("identity supervisor",))
    entry = place.store.audit.list()[-1]
    assert (entry.action, entry.actor) == ("inventory.apply", "local")
    assert entry.detail == {
        "added": ["identity bo"],
        "changed": ["identity supervisor"],
        "removed": [],
    }


def test_local_may_be_given_more_but_nothing_is_taken_from_it(place: Office) -> None:
    key = make_key(place.folder / "local", "")
    mine = Identity("local", frozenset({Role.OPERATOR}), (key,))

    change(place, lambda one: replace(one, identities={**one.identities, "local": mine}))

    local = place.who("local")
    assert local.roles == frozenset(Role)
    assert local.keys == (key,)


def _other_key(place: Office) -> str:
    return make_key(place.folder / "other", "")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda one: without(one, identity="ana"),
            "grants[0].operator: ana is not in identities",
        ),
        (
            lambda one: replace(one, accounts={}),
            "grants[0].account: root@db1 is not in targets.db1.accounts",
        ),
        (
            lambda one: replace(one, grants=(*one.grants, replace(one.grants[0]))),
            "grants[1]: says the same as grants[0]",
        ),
        (
            lambda one: replace(one, grants=(Grant(GrantId("g"), "analyst", ROOT),)),
            "grants[0].operator: analyst has not the role operator",
        ),
        (
            lambda one: replace(
                one,
                identities={
                    **one.identities,
                    "eve": Identity("eve", frozenset(), one.identities["ana"].keys),
                },
            ),
            "identities.eve.keys[0]: is the same key as identities.ana.keys[0]",
        ),
        (
            lambda one: replace(
                one,
                identities={
                    **one.identities,
                    "bot": Identity("bot", frozenset(), (), IdentityKind.SERVICE),
                },
            ),
            "identities.bot.owner: is missing; a person must answer for this service",
        ),
        (
            lambda one: replace(
                one,
                identities={
                    **one.identities,
                    "bot": Identity("bot", frozenset(), (), IdentityKind.AGENT, "bot"),
                },
            ),
            "identities.bot.owner: bot is not a person in identities",
        ),
        (
            lambda one: replace(
                one, identities={**one.identities, "bo": Identity("bo", frozenset(), owner="ana")}
            ),
            "identities.bo.owner: a person has no owner",
        ),
        (
            lambda one: replace(
                one, identities={**one.identities, "../x\x1b": Identity("../x\x1b", frozenset())}
            ),
            "identities: '../x\\x1b' is not a name; names are 1 to 64 of",
        ),
        (
            lambda one: replace(
                one, identities={**one.identities, "bo": Identity("bo", frozenset(), ("x",))}
            ),
            "identities.bo.keys[0]: expected a public key line",
        ),
        (
            lambda one: replace(
                one, targets={**one.targets, "x": Target("x", "h", 22, ("ssh-dss AAAA",))}
            ),
            "targets.x.host_keys[0]: DSA keys are too weak",
        ),
        (
            lambda one: replace(one, targets={**one.targets, "x": Target("x", "h", 22, ())}),
            "targets.x.host_keys: at least one is needed",
        ),
        (
            lambda one: replace(one, targets={}),
            "targets.db1: is missing, and has accounts",
        ),
        (
            lambda one: replace(
                one, accounts={**one.accounts, ROOT: Account(ROOT, KeyFile("/none/key"))}
            ),
            "targets.db1.accounts.root.credential.key_file: /none/key can not be used",
        ),
    ],
)
def test_what_does_not_hold_together_is_refused_and_nothing_changes(
    place: Office, edit: Edit, said: str
) -> None:
    before = place.store.inventory.load()

    with pytest.raises(Usage) as caught:
        change(place, edit)

    assert said in str(caught.value)
    assert place.store.inventory.load() == before


def test_a_comment_does_not_make_a_key_another(place: Office) -> None:
    line = place.who("ana").keys[0].rsplit(" ", 1)[0] + " somebody-else"
    eve = Identity("eve", frozenset(), (line,))

    with pytest.raises(Usage, match="same key"):
        add_identity(place.store, place.who("admin"), eve, place.now)


def test_a_secret_lost_since_keeps_nobody_from_taking_rights_away(place: Office) -> None:
    (place.folder / "password").unlink()

    assert remove_identity(place.store, place.who("admin"), "ana", place.now).removed


@pytest.mark.attack
def test_in_read_only_mode_nothing_is_applied(place: Office) -> None:
    with pytest.raises(Denied, match="read-only"):
        apply(
            place.store,
            place.who("local"),
            Inventory({}, {}, {}, ()),
            place.now,
            read_only=True,
        )


class TestEnding:
    """What is taken away ends the live sessions that stood on it."""

    @pytest.mark.attack
    @pytest.mark.parametrize(
        ("act", "why"),
        [
            (lambda p, me: remove_identity(p.store, me, "ana", p.now), "identity ana was removed"),
            (lambda p, me: remove_target(p.store, me, "db1", p.now), "target db1 was removed"),
            (lambda p, me: remove_account(p.store, me, ROOT, p.now), "account root@db1 was"),
            (lambda p, me: remove_grant(p.store, me, GRANT, p.now), "grant of root@db1 to ana"),
            (
                lambda p, me: change(p, lambda one: without(one, identity="ana", grants=False)),
                "identity ana was removed",
            ),
            (
                lambda p, me: change(
                    p,
                    lambda one: replace(
                        one,
                        identities={**one.identities, "ana": Identity("ana", frozenset())},
                        grants=(),
                    ),
                ),
                "ana is no longer an operator",
            ),
        ],
    )
    def test_the_session_is_ordered_to_end_and_told_why(
        self, place: Office, act: Callable[[Office, Identity], Applied], why: str
    ) -> None:
        place.begin("s-1")
        place.begin("s-2", state=SessionState.PAUSED)

        with Bell(place.home, "store") as bell:
            done = act(place, place.who("local"))
            assert bell.drain()

        assert [(one.session, one.verb, one.actor) for one in done.ended] == [
            ("s-1", Verb.TERMINATE, "local"),
            ("s-2", Verb.TERMINATE, "local"),
        ]
        assert all(why in one.reason for one in done.ended)
        assert all(
            place.store.directives.get(one.id).outcome is Outcome.PENDING for one in done.ended
        )
        assert place.actions()[-3:] == ["inventory.apply", "session.terminate", "session.terminate"]

    @pytest.mark.fault
    def test_where_the_order_to_end_can_not_be_given_nothing_is_taken_away(
        self, place: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place.begin()
        before = place.store.inventory.load()

        def fail(*_: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(place.store.directives, "add", fail)
        with pytest.raises(Failed, match="full"):
            remove_identity(place.store, place.who("admin"), "ana", place.now)

        assert place.store.inventory.load() == before
        assert "inventory.apply" not in place.actions()

    def test_sessions_that_are_over_or_stand_elsewhere_are_left_alone(self, place: Office) -> None:
        bo_key = _other_key(place)
        bo = Identity("bo", frozenset({Role.OPERATOR}), (bo_key,))
        grant = Grant(grant_id("bo", ROOT), "bo", ROOT)
        add_identity(place.store, place.who("admin"), bo, place.now)
        add_grant(place.store, place.who("admin"), grant, place.now)
        place.begin("bo-s", operator="bo", grant=grant.id)
        place.begin("ended", state=SessionState.ENDED)
        place.begin("ending", state=SessionState.ENDING)
        place.begin("lost", worker="gone")

        assert remove_identity(place.store, place.who("admin"), "ana", place.now).ended == ()

    def test_adding_and_changing_what_a_session_does_not_need_ends_nothing(
        self, place: Office
    ) -> None:
        place.begin()
        app = AccountRef("app", "db1")
        secret = PasswordFile(str(place.folder / "password"))

        done = add_account(place.store, place.who("admin"), Account(app, secret), place.now)

        assert done.added == ("account app@db1",) and done.ended == ()

    @pytest.mark.parametrize(
        ("hours", "ends"), [(None, False), (3, False), (2, False), (1, True), (-1, True)]
    )
    def test_another_grant_carries_a_session_on_only_if_it_lasts_as_long(
        self, place: Office, hours: int | None, ends: bool
    ) -> None:
        def until(hours: int | None) -> Grant:
            end = None if hours is None else NOON + timedelta(hours=hours)
            return Grant(grant_id("ana", ROOT, None, end), "ana", ROOT, None, end)

        change(place, lambda one: replace(one, grants=(until(2),)))
        place.begin(grant=until(2).id)

        done = change(place, lambda one: replace(one, grants=(until(hours),)))

        assert bool(done.ended) is ends

    @pytest.mark.parametrize(("had", "has"), [(False, True), (True, False), (True, True)])
    def test_a_right_that_is_supervised_from_now_on_ends_what_began_without(
        self, place: Office, had: bool, has: bool
    ) -> None:
        def grant(supervised: bool) -> Grant:
            made = grant_id("ana", ROOT, None, None, supervised=supervised)
            return Grant(made, "ana", ROOT, supervised=supervised)

        change(place, lambda one: replace(one, grants=(grant(had),)))
        place.begin(grant=grant(had).id)

        done = change(place, lambda one: replace(one, grants=(grant(has),)))

        assert [one.reason for one in done.ended] == (
            [f"{ROOT} is for ana under supervision only now"] if has and not had else []
        )


@pytest.mark.parametrize(
    "act",
    [
        lambda p, me: remove_identity(p.store, me, "x", p.now),
        lambda p, me: remove_target(p.store, me, "x", p.now),
        lambda p, me: remove_account(p.store, me, AccountRef("x", "db1"), p.now),
        lambda p, me: remove_grant(p.store, me, "x", p.now),
    ],
)
def test_removing_what_is_not_there_says_so(
    place: Office, act: Callable[[Office, Identity], Applied]
) -> None:
    with pytest.raises(NotFound):
        act(place, place.who("admin"))


def test_local_can_not_be_removed(place: Office) -> None:
    with pytest.raises(Usage, match="can not be removed"):
        remove_identity(place.store, place.who("admin"), "local", place.now)


def test_a_non_human_s_acts_are_noted_for_its_owner(place: Office) -> None:
    robot = Identity("robot", frozenset({Role.ADMIN}), (), IdentityKind.AGENT, "admin")
    add_identity(place.store, place.who("admin"), robot, place.now)

    remove_identity(place.store, place.who("robot"), "leaver", place.now)

    entry = place.store.audit.list()[-1]
    assert (entry.actor, entry.on_behalf_of) == ("robot", "admin")


def test_an_instant_is_kept_to_the_microsecond(place: Office) -> None:
    end = datetime.fromisoformat("2027-01-01T00:00:00.123456+00:00")
    grant = Grant(grant_id("ana", ROOT, None, end), "ana", ROOT, None, end)

    add_grant(place.store, place.who("admin"), grant, place.now)

    assert place.store.inventory.load().grants[-1] == grant


def test_the_file_of_the_example_applies(place: Office, tmp_path: Path) -> None:
    from psm_console.operations import read_inventory_file

    key = make_key(tmp_path / "k2", "")
    path = tmp_path / "inventory.toml"
    path.write_text(
        f"""
        [identities.ana]
        roles = ["operator"]
        keys = ["{key}"]
        [targets.db1]
        address = "10.0.0.5:22"
        host_keys = ["{key}"]
        [targets.db1.accounts.root]
        credential = {{ key_file = "k2" }}
        [[grants]]
        operator = "ana"
        account = "root@db1"
        """
    )

    done = apply(place.store, place.who("local"), read_inventory_file(path), place.now)

    assert set(done.changed) == {"identity ana", "target db1", "account root@db1"}
    assert set(place.store.inventory.load().identities) == {"ana", "local"}
