"""The table from which keys, footer, palette, help, commands and README are made holds together."""

from __future__ import annotations

from collections import Counter

import pytest

from psm_console.domain.authorise import Action
from psm_console.operations import ACTIONS, Act, Scope, act_named, in_scope

ROOMS = {
    "live": (Scope.GLOBAL, Scope.LIST, Scope.LIVE, Scope.ORDER),
    "shadow": (Scope.GLOBAL, Scope.SHADOW, Scope.ORDER),
    "library": (Scope.GLOBAL, Scope.LIST, Scope.LIBRARY),
    "replay": (Scope.GLOBAL, Scope.REPLAY),
}
"""Which scopes are in force together."""


def test_every_id_is_there_once() -> None:
    assert [name for name, count in Counter(act.id for act in ACTIONS).items() if count > 1] == []


@pytest.mark.parametrize("room", ROOMS)
def test_no_key_means_two_things_in_one_room(room: str) -> None:
    meant: dict[str, Act] = {}
    for act in in_scope(*ROOMS[room]):
        for key in act.keys:
            other = meant.setdefault(key, act)
            # A digit leads to a room, or within a recording to a tenth of it.
            tenth = room == "replay" and key.isdigit() and act.id.startswith("replay.tenth")
            assert other is act or tenth, (key, other.id, act.id)


def test_what_changes_something_asks_authorise() -> None:
    for act in ACTIONS:
        if act.changes or act.destructive or act.needs_reason:
            assert act.action is not None, act.id
        if act.destructive:
            assert act.changes, act.id


def test_every_order_and_every_action_can_be_reached() -> None:
    reached = {act.action for act in ACTIONS}

    assert reached - {None} == set(Action)
    for action in Action:
        assert any(act.cli for act in ACTIONS if act.action is action), action


def test_no_lone_control_key_destroys() -> None:
    for act in ACTIONS:
        if act.destructive:
            assert not any(key.startswith("ctrl+") for key in act.keys), act.id


def test_every_act_says_what_it_does_in_a_line() -> None:
    for act in ACTIONS:
        assert act.title and len(act.title) <= 14, act.id
        assert 0 < len(act.description) <= 120 and "\n" not in act.description, act.id
        assert not act.description.endswith("."), act.id
        assert act.keys or act.cli, act.id


def test_an_act_is_found_by_its_id() -> None:
    assert act_named("session.terminate").method == "session_terminate"
    assert act_named("replay.back").method == "replay_seek(-5)"
    with pytest.raises(KeyError):
        act_named("session.resurrect")
