"""A client or a target that takes bytes one by one would keep everybody else waiting."""

from __future__ import annotations

import asyncssh
import pytest

from tests.support.waiting import eventually

from .asking import Answering, connect
from .jumper import Jumper
from .stand import Stand
from .test_hostile_target import evil_target, run

pytestmark = pytest.mark.attack


@pytest.mark.parametrize("largest", [1, 1023])
async def test_a_channel_in_tiny_packets_is_refused_and_the_connection_goes_on(
    stand: Stand, jumper: Jumper, largest: int
) -> None:
    async with await connect(stand, Answering(lambda prompts: [])) as connection:
        with pytest.raises(asyncssh.ChannelOpenError, match="are not served"):
            await connection.create_process("yes", max_pktsize=largest)
        with pytest.raises(asyncssh.ChannelOpenError, match="are not served"):
            await connection.open_connection("db1", 22, max_pktsize=largest)
        assert (await connection.run("echo in", max_pktsize=1024)).stdout == "in\n"

    def noted() -> list[str]:
        entries = stand.read(lambda store: store.audit.list(action="channel.refuse"))
        return [str(entry.detail) for entry in entries if "in packets below" in str(entry.detail)]

    await eventually(lambda: len(noted()) >= 2, what="both refusals in the audit log")


@pytest.mark.parametrize("largest", [1, 1023])
async def test_a_target_that_takes_tiny_packets_is_not_given_any(
    stand: Stand, largest: int
) -> None:
    def little(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        channel._recv_pktsize = largest

    async with evil_target(stand, lambda channel: None, little):
        status, out, said = await run(stand)
        assert (status, out) == (255, b"")
        assert b"packets below 1024 bytes" in said
