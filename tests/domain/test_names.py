"""Names and logins: exact forms, and nothing that walks a path or forges another name."""

from __future__ import annotations

import pytest

from psm_console.domain.names import AccountRef, Login, is_name

ROOT_DB1 = AccountRef("root", "db1")


@pytest.mark.parametrize(
    ("user", "login"),
    [
        ("ana+root@db1", Login("ana", ROOT_DB1)),
        ("ana:root@db1", Login("ana", ROOT_DB1)),
        ("root@db1", Login(None, ROOT_DB1)),
        ("sue", Login("sue", None)),
    ],
)
def test_the_three_forms_of_a_login_are_read(user: str, login: Login) -> None:
    assert Login.parse(user) == login


@pytest.mark.attack
@pytest.mark.parametrize(
    "user",
    [
        "", "@", "@db1", "root@", "ana+@db1", "+root@db1", "ana++root@db1", "a:b:c@db1",
        "ana+root@../db1", "ana+root@..", "ana+root%prod@db1", "ana+root@db1@db2", "Ana+root@db1",
        "ana+root@DB1", "ana+root@db1\x00", "ana+root@db1\n", "ana+root@db 1", "аna+root@db1",
        "ana+root@db1#", "ana+r\u200boot@db1", "x" * 65, "ana+root@" + "x" * 65, "x" * 1_000_000,
        "$(id)", "ana+$(id)@db1", "-oProxyCommand=id", "ana+root@db1;id", "\x1b[31mana",
    ],
)  # fmt: skip
def test_a_login_that_is_not_exactly_one_of_them_asks_for_nothing(user: str) -> None:
    login = Login.parse(user)

    # A leading dash is a letter of our names; OpenSSH itself refuses to send such a host or user.
    assert login is None or user.startswith("-o")


def test_dots_alone_are_no_name_because_they_walk_paths() -> None:
    assert not is_name(".") and not is_name("..")
    assert is_name("a..b")
