"""Commands that are not text pass as the bytes they are, and are in the evidence as such."""

from __future__ import annotations

import base64
import json

import asyncssh
import pytest
from asyncssh.packet import String

from psm_console.broker.channel.channel_request import _Command
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_smuggling import connected


def test_a_command_that_is_no_utf_8_reaches_the_target_and_the_evidence_byte_by_byte(
    stand: Stand,
) -> None:
    command = b"printf '\xff\x80\xc3\xa9' | od -An -tx1"

    through = stand.client.run(stand.user, command.decode("utf-8", "surrogateescape"))

    assert through.stdout.split() == [b"ff", b"80", b"c3", b"a9"] and through.returncode == 0
    session = stand.last()
    assert session.channels[0].command == "printf '\\xff\\x80é' | od -An -tx1"
    recorded = stand.recorded(session)
    said = json.loads(recorded.splitlines()[0])
    assert said["command"] == "printf '\\xff\\x80é' | od -An -tx1"
    whole = next(line for line in recorded.splitlines() if line.startswith("# psm command "))
    assert base64.b64decode(json.loads(whole[14:])["base64"]) == command


async def test_an_empty_command_is_not_turned_into_a_shell(stand: Stand) -> None:
    """sshd answers an empty command like any other; a shell would wait for input here."""
    async with connected(stand) as connection:
        process = await connection.create_process(_Command(b""), encoding=None)
        assert await process.stdout.read() == b""
    session = stand.last()
    assert [(one.kind, one.command) for one in session.channels] == [("exec", "")]
    assert stand.recording(session).joinpath("1-exec.cast").exists()


@pytest.mark.attack
async def test_a_subsystem_or_a_channel_of_no_known_name_is_refused_and_audited(
    stand: Stand,
) -> None:
    async with connected(stand) as connection:
        channel = asyncssh.channel.SSHTCPChannel(
            connection, connection._loop, None, "strict", 1 << 20, 1 << 15
        )
        with pytest.raises(asyncssh.ChannelOpenError):
            await channel._open(b"psm-odd\x1b[31m@example.com")
        other = asyncssh.channel.SSHClientChannel(
            connection, connection._loop, "strict", None, "strict", 1 << 20, 1 << 15
        )
        await other._open(b"session")
        other._session = asyncssh.SSHClientSession()
        assert await other._make_request(b"subsystem", String(b"net\xffconf"))

    def told() -> list[str]:
        found = stand.read(lambda store: store.audit.list(action="channel.refuse"))
        return [str(entry.detail) for entry in found]

    eventually_sync(
        lambda: any("a channel of type psm-odd\\x1b[31m@example.com" in one for one in told())
    )
    eventually_sync(lambda: any("subsystem net" in one and "xff" in one for one in told()))
