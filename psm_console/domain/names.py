"""The names of things: ids, and the login that an operator types before the `@broker`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType

SessionId = NewType("SessionId", str)
GrantId = NewType("GrantId", str)
DirectiveId = NewType("DirectiveId", str)
WorkerId = NewType("WorkerId", str)

NAME_RULE = "1 to 64 of a-z, 0-9, '.', '_' and '-'"
_NAME = re.compile(r"[a-z0-9._-]{1,64}")


def is_name(text: str) -> bool:
    """Whether `text` may name an identity, target or account; '.' and '..' would walk paths."""
    return _NAME.fullmatch(text) is not None and text.strip(".") != ""


@dataclass(frozen=True, slots=True, order=True)
class AccountRef:
    """A privileged login on a target, written `account@target`."""

    account: str
    target: str

    def __str__(self) -> str:
        return f"{self.account}@{self.target}"

    @classmethod
    def parse(cls, text: str) -> AccountRef | None:
        """Return the reference that `text` spells, or None when it spells none."""
        account, separator, target = text.partition("@")
        if not separator or not is_name(account) or not is_name(target):
            return None
        return cls(account, target)


@dataclass(frozen=True, slots=True)
class Login:
    """What an SSH user name asks for.

    `ana+root@db1` (or `ana:root@db1`) names operator and account, `root@db1` leaves the operator
    to the key, `sue` alone asks for the console.
    """

    operator: str | None
    account: AccountRef | None

    @classmethod
    def parse(cls, user: str) -> Login | None:
        """Return what `user` asks for, or None when it is not one of the three forms."""
        if "@" not in user:
            return cls(user, None) if is_name(user) else None
        head, _, target = user.rpartition("@")
        operator: str | None = None
        for separator in "+:":
            if separator in head:
                operator, _, head = head.partition(separator)
                break
        account = AccountRef.parse(f"{head}@{target}")
        if account is None or (operator is not None and not is_name(operator)):
            return None
        return cls(operator, account)
