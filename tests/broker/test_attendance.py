"""How many connections one identity may have at once, and that each place comes free again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import asyncssh
import pytest

from psm_console.broker.entry.attendance import Attendance
from psm_console.broker.entry.tally import Tally
from tests.support.waiting import eventually

from .asking import Answering, connect
from .stand import Stand

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def few() -> Iterator[Stand]:
    """A broker with room for four connections of an identity."""
    with Stand(config="[limits]\nconnections = 4\n") as running:
        yield running


async def test_one_connection_too_many_is_refused_with_a_sentence_and_audited(few: Stand) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(4):
            client = Answering(lambda prompts: [])
            connection = await connect(few, client)
            await stack.enter_async_context(connection)
            assert (await connection.run("echo in")).stdout == "in\n"

        refused = await asyncio.to_thread(few.client.run, few.user, "id")
        assert refused.returncode == 255
        assert b"ana has 4 connections open, and that is the limit" in refused.stderr
        await eventually(
            lambda: any(
                entry.actor == "ana" and "4 connections open" in str(entry.detail)
                for entry in few.read(lambda s: s.audit.list(action="login.refuse"))
            ),
            what="the audit entry",
        )

    await eventually(
        lambda: few.client.run(few.user, "echo in").stdout == b"in\n", what="a place to come free"
    )


async def test_who_only_knocks_takes_no_place(few: Stand) -> None:
    for _ in range(8):
        with pytest.raises(asyncssh.Error):
            await asyncssh.connect(
                "127.0.0.1",
                few.client.port,
                username=few.user,
                client_keys=[asyncssh.generate_private_key("ssh-ed25519")],
                known_hosts=None,
                config=None,
                agent_path=None,
            )

    assert few.client.run(few.user, "echo in").stdout == b"in\n"


def test_places_are_counted_for_each_identity_and_given_back() -> None:
    attendance = Attendance(Tally.alone())

    assert [attendance.enter("ana", 2) for _ in range(3)] == [True, True, False]
    assert attendance.enter("bob", 2)
    attendance.leave("ana")
    assert attendance.enter("ana", 2) and not attendance.enter("ana", 2)
