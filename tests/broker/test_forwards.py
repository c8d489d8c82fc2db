"""Forwards through a real ssh and a real sshd: where policy allows them, metered and recorded."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import asyncssh
import pytest

from psm_console.broker.channel import forward
from psm_console.domain.inventory import Target
from psm_console.domain.session import ChannelKind, Verb
from psm_console.recording.signing import Signer, TrustedKeys
from psm_console.recording.verify import VerdictWord, verify
from tests.support.peer import Peer, echo, whole
from tests.support.waiting import eventually, eventually_sync

from .forwarding import allow, blocks, read, said, send, through
from .jumper import Jumper
from .stand import Stand
from .test_smuggling import connected


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(echo) as running:
        yield running


def test_a_listed_destination_is_reached_and_every_byte_is_accounted_for(stand: Stand) -> None:
    sent, answer = os.urandom(3 << 20), os.urandom(2 << 20)
    got: list[bytes] = []

    def swap(connection: socket.socket) -> None:
        got.append(whole(connection))
        connection.sendall(answer)

    with Peer(swap) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        done = stand.client.run(stand.user, options=["-W", f"127.0.0.1:{peer.port}"], stdin=sent)

    assert (done.returncode, done.stdout == answer, got == [sent]) == (0, True, True)
    session = stand.last()
    (channel,) = session.channels
    assert (channel.kind, channel.command) == (ChannelKind.FORWARD, f"127.0.0.1:{peer.port}")
    assert (channel.ledger.input_bytes, channel.ledger.output_bytes) == (3 << 20, 2 << 20)
    assert channel.ledger.input_recorded == "digest"
    assert channel.ledger.digest_bytes == 5 << 20
    header, opened, *rest = said(stand, session)
    assert (header["log"], header["to"]) == ("psm-forward", f"127.0.0.1:{peer.port}")
    assert (opened["forward"], opened["result"]) == ("opened", "open")
    assert {(one["from"], one["hex"]) for one in rest if one["forward"] == "first"} == {
        ("operator", sent[:64].hex()),
        ("target", answer[:64].hex()),
    }
    assert blocks(stand, session, "i")[-1]["sha256"] == hashlib.sha256(sent).hexdigest()
    assert blocks(stand, session, "o")[-1]["sha256"] == hashlib.sha256(answer).hexdigest()
    trusted = TrustedKeys.parse(Signer.load(stand.home.recording_key).allowed_signers_line)
    assert verify(stand.recording(session), trusted=trusted).word is VerdictWord.OK


def test_a_local_forward_makes_a_session_at_its_first_channel(stand: Stand, peer: Peer) -> None:
    allow(stand, f"127.0.0.1:{peer.port}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        local = free.getsockname()[1]
    client = stand.client.popen(
        stand.user, options=["-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{peer.port}"]
    )
    stand._processes.append(client)

    connection = eventually_sync(lambda: _connected(local), what="ssh to listen")
    assert connection is not None
    with connection:
        assert not stand.sessions() or stand.sessions()[0].operator == "ana"
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        session = stand.session()
        (channel,) = eventually_sync(lambda: stand.session().channels)
        assert channel.kind is ChannelKind.FORWARD
    assert said(stand, session)[0]["from"].startswith("127.0.0.1:")


def _connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=20)
    except OSError:
        return None


def test_a_dynamic_forward_reaches_what_is_listed_and_nothing_else(
    stand: Stand, peer: Peer
) -> None:
    with Peer(echo) as other:
        allow(stand, f"127.0.0.1:{peer.port}")
        with socket.create_server(("127.0.0.1", 0)) as free:
            local = free.getsockname()[1]
        client = stand.client.popen(stand.user, options=["-N", "-D", f"127.0.0.1:{local}"])
        stand._processes.append(client)
        eventually_sync(lambda: _connected(local), what="ssh to listen").close()  # type: ignore

        assert _socks(local, peer.port) == b"hello"
        assert _socks(local, other.port) == b""
        assert (peer.connections, other.connections) == (1, 0)


def _socks(local: int, port: int) -> bytes:
    """Say hello through a SOCKS4 proxy; what comes back, nothing when it refuses."""
    with socket.create_connection(("127.0.0.1", local), timeout=20) as connection:
        asked = b"\4\1" + port.to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + b"\0"
        connection.sendall(asked)
        if connection.recv(8)[1:2] != b"\x5a":
            return b""
        try:
            connection.sendall(b"hello")
            return connection.recv(100)
        except OSError:
            return b""


def test_a_listed_socket_is_reached(stand: Stand) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sock"
        with Peer(echo, path) as peer:
            allow(stand, f"unix:{path}")
            local = Path(folder) / "here.sock"
            client = stand.client.popen(stand.user, options=["-N", "-L", f"{local}:{path}"])
            stand._processes.append(client)
            eventually_sync(local.exists, what="ssh to listen")
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(20)
                connection.connect(str(local))
                connection.sendall(b"hello")
                assert connection.recv(100) == b"hello"
            assert peer.connections == 1
            (channel,) = eventually_sync(lambda: stand.session().channels)
            assert channel.command == f"unix:{path}"


@pytest.mark.attack
def test_what_is_not_listed_any_more_is_ended_and_the_rest_of_the_session_goes_on(
    stand: Stand, peer: Peer
) -> None:
    allow(stand, f"127.0.0.1:{peer.port}")
    with stand.client.master(stand.user) as through_it:
        options = [*through_it, "-W", f"127.0.0.1:{peer.port}"]
        client = stand.popen("", options=options)
        send(client, b"hello")
        assert read(client, 5) == b"hello"
        session = stand.session()
        allow(stand)
        assert client.wait(20) is not None
        assert stand.client.run(stand.user, "echo on", options=through_it).stdout == b"on\n"
        refused = stand.client.run(stand.user, options=options)
        assert refused.returncode != 0 and peer.connections == 1
        assert stand.session().id == session.id
    audit = stand.read(lambda store: store.audit.list(session=session.id, action="channel.end"))
    assert ["not allowed any more" in str(entry.detail) for entry in audit] == [True]


def test_what_the_target_can_not_reach_is_said_and_recorded(stand: Stand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    allow(stand, f"127.0.0.1:{port}")

    done = stand.client.run(stand.user, options=["-W", f"127.0.0.1:{port}"])

    assert done.returncode != 0 and b"the target did not reach 127.0.0.1:" in done.stderr
    session = stand.last()
    assert "did not reach" in said(stand, session)[1]["result"]
    assert session.channels[0].closed_at is not None


def test_a_server_that_speaks_first_and_closes_is_heard(stand: Stand) -> None:
    with Peer(lambda connection: connection.sendall(b"220 ready\r\n")) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        done = stand.client.run(stand.user, options=["-W", f"127.0.0.1:{peer.port}"])

    assert (done.returncode, done.stdout) == (0, b"220 ready\r\n")
    assert stand.last().channels[0].ledger.protocol == "ftp"


def test_one_byte_that_an_ssh_name_begins_with_is_not_held_back(stand: Stand) -> None:
    """PostgreSQL answers a request for TLS with `S`, and waits."""

    def postgres(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"S")
        connection.sendall(connection.recv(5))

    with Peer(postgres) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        send(client, b"\0\0\0\x08\x04\xd2\x16\x2f")
        assert read(client, 1) == b"S"
        send(client, b"\x16\x03\x01\0\0")
        assert read(client, 5) == b"\x16\x03\x01\0\0"
        assert client.wait(20) == 0
    session = stand.last()
    assert session.channels[0].ledger.protocol == "postgres"
    began = {
        one["from"]: one["hex"] for one in said(stand, session) if one.get("forward") == "first"
    }
    # So few bytes get their line at the end.
    assert began["target"] == b"S\x16\x03\x01\0\0".hex()


def test_a_forward_through_a_jump_is_a_channel_of_the_inner_session(
    stand: Stand, peer: Peer
) -> None:
    allow(stand, f"127.0.0.1:{peer.port}")
    jumper = Jumper(stand)

    done = jumper.run("-W", f"127.0.0.1:{peer.port}", jumper.at, stdin=b"hello")

    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr
    session = stand.last()
    assert [(one.kind, one.ledger.input_bytes) for one in session.channels] == [("forward", 5)]


@pytest.mark.fault
async def test_forwards_that_come_and_go_in_every_way_leave_nothing(stand: Stand) -> None:
    def odd(connection: socket.socket) -> None:
        asked = connection.recv(1)
        if asked == b"a":
            connection.sendall(b"x" * 70_000)
        elif asked == b"b":
            connection.shutdown(socket.SHUT_WR)
            whole(connection)
        elif asked == b"c":
            echo(connection)

    async def use(connection: asyncssh.SSHClientConnection, port: int, number: int) -> None:
        _, writer = await connection.open_connection("127.0.0.1", port)
        writer.write(b"abcd"[number % 4 : number % 4 + 1] + b"y" * 40_000)
        if number % 3 == 0:
            writer.channel.abort()
        elif number % 3 == 1:
            writer.close()
        else:
            writer.write_eof()
        await asyncio.wait_for(writer.channel.wait_closed(), 30)

    with Peer(odd) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        async with connected(stand) as connection:
            for first in range(0, 36, 6):
                await asyncio.gather(
                    *(use(connection, peer.port, first + number) for number in range(6))
                )
            driver = next(iter(stand.broker.running.worker.sessions.values()))
            await eventually(lambda: not driver.relays, what="all forwards to be over")
            target = driver.target
            assert target is not None
            await eventually(lambda: not target._channels, what="the target's half too")
            assert not driver.operator._channels
    ended = await asyncio.to_thread(stand.last)
    assert len(ended.channels) == 36
    assert all(channel.closed_at is not None for channel in ended.channels)


# A supervisor's hand


@pytest.mark.attack
def test_a_pause_holds_a_forward_both_ways_and_a_resume_loses_nothing(stand: Stand) -> None:
    arrived: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        arrived.append(connection.recv(1 << 16))
        while data := connection.recv(1 << 16):
            arrived.append(data)
            connection.sendall(b"said " + data)

    with Peer(talk) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        send(client, b"first")
        eventually_sync(lambda: arrived == [b"first"], what="the first bytes")
        session = stand.session()
        stand.order(session, Verb.PAUSE)
        (relay,) = stand.broker.running.worker.sessions[session.id].relays.values()
        assert "paused" in relay.input.valve._reasons  # what is not read stays with the client
        send(client, b"second")
        assert client.stdin is not None
        client.stdin.close()
        # A channel that is asked for later is answered later: by then the bytes had their chance.
        refused = stand.order(session, Verb.WARN, text="hello")
        assert "only forwards are open" in refused.receipt.detail
        assert arrived == [b"first"]
        stand.order(session, Verb.RESUME)
        assert read(client, 100) == b"said second"
        assert client.wait(20) == 0
    assert arrived == [b"first", b"second"]


@pytest.mark.attack
def test_what_the_target_says_in_a_pause_comes_after_it_and_the_end_of_it_too(
    stand: Stand,
) -> None:
    go: list[bool] = []

    def late(connection: socket.socket) -> None:
        connection.sendall(b"early")
        eventually_sync(lambda: bool(go), what="the pause")
        connection.sendall(b" and late")

    with Peer(late) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        assert read(client, 5) == b"early"
        session = stand.session()
        stand.order(session, Verb.PAUSE)
        go.append(True)
        (relay,) = stand.broker.running.worker.sessions[session.id].relays.values()
        assert isinstance(relay, forward.ForwardRelay)
        eventually_sync(lambda: relay.output.withheld.size == 9, what="the bytes to be withheld")
        eventually_sync(lambda: relay._target_eof, what="the target's end of file")
        assert client.stdout is not None and not select.select([client.stdout], [], [], 0)[0]
        stand.order(session, Verb.RESUME)
        assert read(client, 100) == b" and late"
        assert client.stdin is not None
        client.stdin.close()
        assert client.wait(20) == 0


@pytest.mark.attack
def test_a_terminate_closes_a_forward_at_once_on_both_sides(stand: Stand) -> None:
    over: list[bool] = []

    def listen(connection: socket.socket) -> None:
        connection.sendall(b"up")
        over.append(not connection.recv(1))

    with Peer(listen) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        assert read(client, 2) == b"up"
        answer = stand.order(stand.session(), Verb.TERMINATE, reason="enough")
        assert not any(step.failed for step in answer.receipt.steps)
        client.wait(20)
        eventually_sync(lambda: over == [True], what="the server to see the end")
    assert (stand.last().ended_by, stand.last().end_reason) == ("sue", "enough")


async def test_an_end_of_file_passes_each_way_and_the_other_way_goes_on(stand: Stand) -> None:
    heard: list[bytes] = []

    def end_first(connection: socket.socket) -> None:
        connection.sendall(b"all I say")
        connection.shutdown(socket.SHUT_WR)
        heard.append(whole(connection))

    with Peer(end_first) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        async with connected(stand) as connection:
            reader, writer = await connection.open_connection("127.0.0.1", peer.port)
            assert await asyncio.wait_for(reader.read(), 20) == b"all I say"
            writer.write(b"still heard")
            writer.write_eof()
            await eventually(lambda: heard == [b"still heard"], what="the server to hear the rest")


def test_a_client_that_does_not_read_holds_back_what_the_target_says(stand: Stand) -> None:
    size = 24 << 20
    given: list[int] = []

    def flood(connection: socket.socket) -> None:
        for _ in range(size >> 16):
            connection.sendall(b"x" * (1 << 16))
            given.append(1 << 16)

    with Peer(flood) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        session = stand.session()
        driver = stand.broker.running.worker.sessions[session.id]
        (relay,) = eventually_sync(lambda: list(driver.relays.values()))
        eventually_sync(
            lambda: bool(relay.output.valve._reasons), what="the target to be held back"
        )
        assert relay.channel.output_bytes < size // 2
        assert read(client, size) == b"x" * size
        assert client.wait(20) == 0


class LateTarget(asyncssh.SSHServer):
    """Lets everybody in, and reaches a destination when `go` is set."""

    def __init__(self, go: asyncio.Event, reached: list[asyncssh.SSHTCPChannel[bytes]]) -> None:
        self._go, self._reached = go, reached

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        return False

    def connection_requested(self, *asked: object) -> Any:
        channel = self._connection.create_tcp_channel()
        self._reached.append(channel)

        async def later() -> asyncssh.SSHTCPSession[bytes]:
            await self._go.wait()
            return asyncssh.SSHTCPSession()

        return channel, later()


@pytest.mark.attack
async def test_a_target_that_answers_too_late_is_left_no_channel(stand: Stand) -> None:
    go, reached = asyncio.Event(), list[asyncssh.SSHTCPChannel[bytes]]()
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        lambda: LateTarget(go, reached), "127.0.0.1", 0, server_host_keys=[key], encoding=None
    )
    line = key.export_public_key().decode().strip()
    target = Target("db1", "127.0.0.1", server.get_port(), (line,), ("h:1",))
    stand.apply(replace(stand.inventory(), targets={"db1": target}))
    try:
        async with connected(stand) as connection:
            late = pytest.raises(asyncssh.ChannelOpenError, match="did not reach h:1 within")
            with mock.patch.object(forward, "OPEN_TIMEOUT_S", 0.3), late:
                await connection.open_connection("h", 1)
            go.set()
            (channel,) = reached
            await asyncio.wait_for(channel.wait_closed(), 20)
            driver = next(iter(stand.broker.running.worker.sessions.values()))
            assert not driver.relays
    finally:
        stand.apply(stand.inventory())
        server.close()
