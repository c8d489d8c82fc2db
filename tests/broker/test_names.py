"""User names that try to be somebody else, somewhere else, or nothing at all: A04 and A12."""

from __future__ import annotations

import asyncio
import contextlib

import asyncssh
import pytest

from tests.support.waiting import eventually

from .asking import forgive
from .stand import Stand

pytestmark = pytest.mark.attack

# {u} is the account's name; with `ana+{u}@db1` and `{u}@db1` ana would be in.
TRICKS = [
    "",
    " ",
    "@",
    "@@",
    "+@db1",
    "ana",
    "ana+{u}",
    "ana+{u}@",
    "ana+@db1",
    "+{u}@db1",
    "ana+{u}@db1 ",
    " ana+{u}@db1",
    "ana +{u}@db1",
    "ana+{u}@ db1",
    "ana+{u}@db1\n",
    "ana+{u}@db1\0",
    "ana\0+{u}@db1",
    "ana+{u}@DB1",
    "ANA+{u}@db1",
    "Ana+{u}@db1",
    "ana+{u}@db1.",
    "ana+{u}@.db1",
    "ana+{u}@db1.example.org",
    "ana+{u}@127.0.0.1",
    "ana+{u}@localhost",
    "ana+{u}@2130706433",
    "ana+{u}@0x7f.1",
    "ana+{u}@[::1]",
    "ana+{u}@::1",
    "ana+{u}@fe80::1%lo",
    "ana+{u}@db1:22",
    "ana+{u}@db1/../db1",
    "ana+{u}@../db1",
    "ana+../{u}@db1",
    "ana+{u}%db1",
    "ana%{u}@db1",
    "ana:{u}:x@db1",
    "ana+{u}+x@db1",
    "ana+x+{u}@db1",
    "ana+{u}:@db1",
    "ana@{u}@db1",
    "ana+{u}@db1@db1",
    "ana+{u}@db1@broker",
    "mallory+{u}@db1",
    "local+{u}@db1",
    "broker+{u}@db1",
    "аna+{u}@db1",  # Cyrillic а
    "ana+{u}@dЬ1",
    "ａｎａ+{u}@db1",  # full width: NFKC makes it ana
    "ana+{u}@ｄｂ１",
    "ana+{u}@db\u00b9",  # superscript one
    "an\u00ada+{u}@db1",  # soft hyphen: SASLprep takes it out
    "an\u200ba+{u}@db1",
    "ana+{u}@d\u200db1",
    "\u202eana+{u}@db1",
    "ana+{u}@db1\u2060",
    "ana+{u}@db1$(id)",
    "ana+{u}@db1;id",
    "ana+{u}@db1`id`",
    "ana+{u}@%h",
    "ana+-oProxyCommand=id@db1",
    "-oProxyCommand=id@db1",
    "ana+{u}@" + "db1" * 100,
    "a" * 1000 + "+{u}@db1",
    "x" * 5000,
]


@pytest.mark.parametrize("trick", TRICKS)
async def test_only_the_exact_names_of_the_inventory_lead_anywhere(
    stand: Stand, trick: str
) -> None:
    """With ana's own key, by a client that sends any name."""
    forgive(stand)
    before = len(stand.sessions(live_only=False))
    user = trick.format(u=stand.ref.account)
    with contextlib.suppress(asyncssh.Error, ConnectionError):
        async with asyncio.timeout(20), _connection(stand, user) as connection:
            result = await connection.run("echo in")
            assert result.stdout != "in\n", trick

    assert len(stand.sessions(live_only=False)) == before


@contextlib.asynccontextmanager
async def _connection(stand: Stand, user: str):  # type: ignore[no-untyped-def]
    """Log in under the user name as it is: asyncssh's own client would prepare it."""

    class Raw(asyncssh.SSHClient):
        def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
            conn._username = user

    async with asyncssh.connect(
        "127.0.0.1",
        stand.client.port,
        username="x",
        client_factory=Raw,
        client_keys=[str(stand.client.key)],
        known_hosts=None,
        config=None,
        agent_path=None,
    ) as connection:
        yield connection


async def test_the_exact_names_do(stand: Stand) -> None:
    for user in (stand.user, str(stand.ref), stand.user.replace("+", ":")):
        async with _connection(stand, user) as connection:
            assert (await connection.run("echo in")).stdout == "in\n"


async def test_names_are_shown_and_stored_as_what_they_are(stand: Stand) -> None:
    refusals = stand.broker.running.worker.refusals
    stand.broker.ask(lambda: setattr(refusals._strangers, "_left", 20.0))  # what was refused above
    hostile = "\x1b]0;owned\x07\u202e\u200bana\x9b2J"
    with contextlib.suppress(asyncssh.Error, ConnectionError):
        async with _connection(stand, hostile):
            pass
    with contextlib.suppress(asyncssh.Error, ConnectionError):
        async with _connection(stand, "ana\u200b+x@\u3164db1%n"):
            pass

    def told() -> str:
        entries = stand.read(lambda store: store.audit.list(action="login.refuse"))
        return "".join(f"{entry.actor} {entry.detail}" for entry in entries)

    await eventually(lambda: "db1%n" in told(), what="the refusal in the audit log")
    assert told().isprintable()
