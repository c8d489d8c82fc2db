"""SSH inside a forward is a session that nobody sees: ended, or flagged where policy says so."""

from __future__ import annotations

import socket

import pytest

from tests.support.peer import Peer, echo
from tests.support.waiting import eventually_sync

from .forwarding import allow, read, said, send, through
from .stand import Stand


@pytest.mark.attack
@pytest.mark.parametrize("first", ["client", "server", "cut", "late"])
def test_ssh_inside_a_forward_is_ended_audited_and_marked(stand: Stand, first: str) -> None:
    heard: list[bytes] = []

    def server(connection: socket.socket) -> None:
        if first == "server":
            connection.sendall(b"SSH-2.0-inner\r\n")
        if first == "late":
            connection.sendall(b"welcome\r\n")
            connection.sendall(b"SSH-2.0-inner\r\n")
        while data := connection.recv(1 << 16):
            heard.append(data)

    with Peer(server) as peer:
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        session = stand.session()
        if first == "client":
            send(client, b"SSH-2.0-inner\r\n")
        elif first == "cut":
            send(client, b"S")
            eventually_sync(lambda: heard == [b"S"], what="one byte, which means nothing")
            send(client, b"SH-2.0-inner\r\n")
        out = read(client, 100)
        assert client.wait(20) is not None
    assert b"SSH-" not in out and b"SSH-" not in b"".join(heard)
    ended = stand.last()
    audit = stand.read(lambda store: store.audit.list(session=session.id, action="channel.end"))
    assert ["inside this forward" in str(entry.detail) for entry in audit] == [True]
    assert "SSH" in (ended.attention or "")
    assert ended.channels[0].ledger.protocol == "ssh"
    assert any("inside this forward" in str(one.get("mark")) for one in said(stand, ended))


@pytest.mark.attack
def test_where_policy_says_so_ssh_inside_is_flagged_and_goes_on() -> None:
    with (
        Stand(config='[forwards]\ninner_ssh = "flag"\n') as stand,
        Peer(echo) as peer,
    ):
        allow(stand, f"127.0.0.1:{peer.port}")
        client = through(stand, peer.port)
        send(client, b"SSH-2.0-inner\r\n")
        assert read(client, 15) == b"SSH-2.0-inner\r\n"
        session = stand.session()
        eventually_sync(lambda: "SSH" in (stand.session().attention or ""), what="the flag")
        audit = stand.read(lambda store: store.audit.list(session=session.id))
        assert "channel.flag" in [entry.action for entry in audit]
        stand.tidy()
