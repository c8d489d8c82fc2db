"""Roles × actions: default deny, and the two rules that hang on more than the role."""

from __future__ import annotations

import pytest

from psm_console.domain.authorise import ALLOWED, Action, Context, Denied, Permitted, authorise
from psm_console.domain.inventory import Identity, Role


def somebody(*roles: Role) -> Identity:
    return Identity("sue", frozenset(roles))


@pytest.mark.attack
@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_what_it_lists_and_nothing_else(role: Role, action: Action) -> None:
    allowed = isinstance(authorise(somebody(role), action), Permitted)

    assert allowed == (action in ALLOWED[role])


@pytest.mark.parametrize("action", list(Action))
def test_an_identity_without_roles_may_do_nothing(action: Action) -> None:
    assert isinstance(authorise(somebody(), action), Denied)


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_open_to_some_role(action: Action) -> None:
    assert any(action in ALLOWED[role] for role in Role)


def test_an_admin_alone_can_not_replay() -> None:
    assert isinstance(authorise(somebody(Role.ADMIN), Action.RECORDING_OPEN), Denied)


def test_a_supervisor_can_not_resume_the_session_they_work_in() -> None:
    sue = somebody(Role.SUPERVISOR, Role.OPERATOR)

    assert isinstance(
        authorise(sue, Action.SESSION_RESUME, Context(session_operator="sue")), Denied
    )
    assert isinstance(
        authorise(sue, Action.SESSION_RESUME, Context(session_operator="ana")), Permitted
    )


def test_read_only_denies_every_change_and_no_look() -> None:
    sue = somebody(*Role)
    read_only = Context(read_only=True)

    assert isinstance(authorise(sue, Action.SESSION_TERMINATE, read_only), Denied)
    assert isinstance(authorise(sue, Action.SESSION_SHADOW, read_only), Permitted)
