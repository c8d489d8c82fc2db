"""Every operation that takes an actor asks `authorise`, for every role, and notes refusals."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest

from psm_console import operations
from psm_console.domain.authorise import ALLOWED, Action
from psm_console.domain.inventory import Grant, Identity, Role
from psm_console.domain.names import GrantId
from psm_console.domain.session import SessionState
from psm_console.operations import Denied

from .office import GRANT, ROOT, Office

Act = Callable[[Office, Identity], object]


def _order(verb: str, *words: str) -> Act:
    return lambda place, actor: getattr(operations, verb)(
        place.store, actor, "s-7100", *words, place.now
    )


def _resume(place: Office, actor: Identity) -> object:
    place.store.sessions.set_state(
        place.store.sessions.resolve("s-7100"), SessionState.PAUSED, paused_by="x"
    )
    return operations.resume(place.store, actor, "s-7100", "", place.now)


def _plain(name: str, *arguments: object) -> Act:
    return lambda place, actor: getattr(operations, name)(place.store, actor, *arguments, place.now)


def _edit(name: str, make: Callable[[Office], tuple[object, ...]]) -> Act:
    return lambda place, actor: getattr(operations, name)(
        place.store, actor, *make(place), place.now
    )


def _add_target(place: Office, actor: Identity) -> object:
    target = place.store.inventory.load().targets["db1"]
    return operations.add_target(place.store, actor, replace(target, name="db2"), (), place.now)


MATRIX: dict[str, tuple[Action, Act]] = {
    "list_sessions": (Action.SESSION_LIST, _plain("list_sessions")),
    "show_session": (Action.SESSION_SHOW, _plain("show_session", "s-7100")),
    "list_directives": (Action.SESSION_SHOW, _plain("list_directives", "s-7100")),
    "start_watching": (Action.SESSION_SHADOW, _plain("start_watching", "s-7100")),
    "pause": (Action.SESSION_PAUSE, _order("pause", "why")),
    "resume": (Action.SESSION_RESUME, _resume),
    "warn": (Action.SESSION_WARN, _order("warn", "stop")),
    "terminate": (Action.SESSION_TERMINATE, _order("terminate", "why")),
    "sessions_to_end": (Action.SESSION_LIST, _plain("sessions_to_end", operations.Chosen())),
    "terminate_many": (
        Action.SESSION_TERMINATE,
        _plain("terminate_many", operations.Chosen(), "why"),
    ),
    "list_recordings": (Action.RECORDING_LIST, _plain("list_recordings")),
    "show_recording": (Action.RECORDING_LIST, _plain("show_recording", "s-7100")),
    "open_recording": (Action.RECORDING_OPEN, _plain("open_recording", "s-7100")),
    "export_recording": (Action.RECORDING_EXPORT, _plain("export_recording", "s-7100")),
    "verify_recording": (Action.RECORDING_VERIFY, _plain("verify_recording", "s-7100")),
    "list_orphans": (Action.RECORDING_VERIFY, _plain("list_orphans")),
    "read_inventory": (Action.INVENTORY_READ, _plain("read_inventory")),
    "apply": (
        Action.INVENTORY_APPLY,
        _edit("apply", lambda place: (place.store.inventory.load(),)),
    ),
    "add_identity": (
        Action.INVENTORY_APPLY,
        _plain("add_identity", Identity("bo", frozenset({Role.ANALYST}))),
    ),
    "remove_identity": (Action.INVENTORY_APPLY, _plain("remove_identity", "leaver")),
    "add_target": (Action.INVENTORY_APPLY, _add_target),
    "remove_target": (Action.INVENTORY_APPLY, _plain("remove_target", "db1")),
    "add_account": (
        Action.INVENTORY_APPLY,
        _edit("add_account", lambda place: (place.store.inventory.load().accounts[ROOT],)),
    ),
    "remove_account": (Action.INVENTORY_APPLY, _plain("remove_account", ROOT)),
    "add_grant": (
        Action.INVENTORY_APPLY,
        _plain("add_grant", Grant(GrantId("g-2"), "ana", ROOT)),
    ),
    "remove_grant": (Action.INVENTORY_APPLY, _plain("remove_grant", GRANT)),
    "open_visit": (Action.CONSOLE_OPEN, _plain("open_visit", "v-1", "127.0.0.1", ("console",))),
    "show_ca": (Action.INVENTORY_READ, _plain("show_ca")),
    "init_ca": (Action.CA_INIT, _plain("init_ca")),
    "prepare_ca": (Action.CA_ROTATE, _plain("prepare_ca")),
    "rotate_ca": (Action.CA_ROTATE, _plain("rotate_ca", "it leaked")),
    "way_in": (Action.TARGET_REACH, _plain("way_in")),
    "list_audit": (Action.AUDIT_READ, _plain("list_audit")),
    "verify_audit": (Action.AUDIT_VERIFY, _plain("verify_audit")),
}
_ASK_NOBODY = {"may"}
"""`may` is the question itself."""


def test_no_operation_that_takes_an_actor_is_missing_here() -> None:
    taking = {
        name
        for name in operations.__all__
        if inspect.isfunction(act := getattr(operations, name))
        and "actor" in inspect.signature(act).parameters
    }

    assert taking - _ASK_NOBODY == set(MATRIX)


def test_every_action_is_asked_for_by_an_operation() -> None:
    assert {action for action, _ in MATRIX.values()} == set(Action)


@pytest.mark.attack
@pytest.mark.parametrize("name", MATRIX)
def test_each_role_may_what_the_table_says_and_nothing_else(place: Office, name: str) -> None:
    action, act = MATRIX[name]
    place.record()
    for role in [*Role, None]:
        actor = place.who("nobody" if role is None else role.value)
        allowed = role is not None and action in ALLOWED[role]
        before, noted = place.store._connection.raw.total_changes, len(place.actions())

        if allowed:
            act(place, actor)
            continue
        if name == "resume":
            before += 1  # the test's own change of state
        with pytest.raises(Denied) as caught:
            act(place, actor)

        assert caught.value.exit_code == 4
        news = place.actions()[noted:]
        quiet = action in (Action.SESSION_LIST, Action.RECORDING_LIST, Action.INVENTORY_READ)
        assert news == ([] if quiet else ["access.deny"])
        changed = place.store._connection.raw.total_changes - before
        assert changed == (0 if quiet else 1), "more than the note of the refusal was written"


@pytest.mark.attack
@pytest.mark.parametrize("name", MATRIX)
def test_who_was_removed_from_the_inventory_may_nothing(place: Office, name: str) -> None:
    place.record()
    ghost = Identity("ghost", frozenset(Role))

    with pytest.raises(Denied, match="no longer in the inventory"):
        MATRIX[name][1](place, ghost)


@pytest.mark.attack
def test_who_was_demoted_while_the_console_was_open_may_no_longer(place: Office) -> None:
    place.begin()
    sue = place.who("supervisor")
    place.store.inventory.replace(
        replace(
            (inventory := place.store.inventory.load()),
            identities={
                **inventory.identities,
                "supervisor": replace(sue, roles=frozenset({Role.ANALYST})),
            },
        )
    )

    with pytest.raises(Denied):
        operations.terminate(place.store, sue, "s-7100", "why", place.now)
    assert operations.list_sessions(place.store, sue, place.now)
