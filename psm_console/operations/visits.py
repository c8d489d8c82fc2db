"""Visits: the console and commands over ssh, for an identity that logs in without an account."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime

import msgspec

from psm_console.domain.authorise import Action
from psm_console.domain.inventory import Identity
from psm_console.domain.text import visible
from psm_console.store import Store

from .actions import ACTIONS
from .errors import Denied, Usage, told
from .permission import require

LONGEST_COMMAND = 8192
"""Bytes of what is asked for."""
PROGRAM = "psm"
_HELP = {"help": "--help", "-h": "--help", "--help": "--help", "--version": "--version"}


def _commands() -> frozenset[tuple[str, ...]]:
    """Return the beginnings of the commands that the registry allows over ssh."""
    allowed = (act.cli.split()[1:3] for act in ACTIONS if act.cli and act.over_ssh)
    return frozenset(
        tuple(word for word in words if word.isalpha() and word.islower()) for words in allowed
    )


VISITOR_COMMANDS = _commands()
"""`("session", "ls")` and the like; `("console",)`."""


def visitor_words(command: str | None) -> tuple[str, ...]:
    """Return the words of what a visitor's client asked for; nothing at all means the console.

    No shell ever sees them. Raises Usage for what can not be read, Denied for what is not for
    visitors.
    """
    text = command or ""
    try:
        if len(text.encode()) > LONGEST_COMMAND:
            raise Usage(f"the command is longer than {LONGEST_COMMAND} bytes; say it shorter")
        words = shlex.split(text)
    except UnicodeEncodeError:
        raise Usage("the command is not UTF-8; write it in UTF-8") from None
    except ValueError as error:
        raise Usage(f"the command can not be read: {str(error).lower()}; close it") from None
    if words[:1] == [PROGRAM]:
        del words[0]
    return permitted(tuple(words))


def permitted(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return `words` if a visitor may give them as a command, or raise Denied."""
    if not words:
        return ("console",)
    if words[0] in _HELP:
        return (_HELP[words[0]],)
    nouns = {command[0] for command in VISITOR_COMMANDS}
    asks_help = words[0] in nouns and words[1:2] in ((), ("-h",), ("--help",))
    if asks_help or words[:1] in VISITOR_COMMANDS or words[:2] in VISITOR_COMMANDS:
        return words
    asked = visible(" ".join(words[:2]), 60)
    raise Denied(f"{asked!r} can not be done over ssh; there are: {_offer()}")


def _offer() -> str:
    """Return what there is, in a line: `console, session ls|show|…`."""
    verbs: dict[str, list[str]] = {}
    for noun, *rest in sorted(VISITOR_COMMANDS):
        verbs.setdefault(noun, []).extend(rest)
    return ", ".join(f"{noun} {'|'.join(of)}".rstrip() for noun, of in verbs.items())


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """What the process of a visit is told, by the broker alone: nothing of it can be typed."""

    home: str
    identity: str
    words: tuple[str, ...]
    broker: int
    """The process that it must not outlive."""
    require_confinement: bool

    def encode(self) -> bytes:
        """Return it as bytes."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> VisitOrder:
        """Return what `encode` made; ValueError for anything else."""
        return msgspec.json.decode(data, type=cls)


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """A visit that the audit log knows of."""

    id: str
    actor: Identity


@told
def open_visit(
    store: Store, actor: Identity, visit_id: str, peer: str, words: tuple[str, ...], now: datetime
) -> OpenVisit:
    """Note who comes, from where and for what; nothing may be shown before this has returned."""
    known = require(store, actor, Action.CONSOLE_OPEN, now)
    detail = {"visit": visit_id, "from": visible(peer, 120), "command": _said(words)}
    store.audit.append(now, "console.open", known.name, on_behalf_of=known.owner, detail=detail)
    return OpenVisit(visit_id, known)


@told
def close_visit(store: Store, visit: OpenVisit, how: str, seconds: float, now: datetime) -> None:
    """Note that a visit is over: how it ended and how long it was."""
    store.audit.append(
        now,
        "console.close",
        visit.actor.name,
        on_behalf_of=visit.actor.owner,
        detail={"visit": visit.id, "end": visible(how, 200), "seconds": f"{seconds:.1f}"},
    )


def _said(words: tuple[str, ...]) -> str:
    return visible(shlex.join(words), 500)
