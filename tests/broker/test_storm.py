"""Many connect at once, and many that never log in: who means it gets in meanwhile."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import selectors
import socket
import time
from collections.abc import Iterator
from unittest import mock

import pytest

from psm_console.broker.entry.doorway import Doorway
from psm_console.broker.entry.tally import Tally
from psm_console.broker.service.listening import bind
from psm_console.broker.ssh import algorithms
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.fault

CONNECTS = 600
"""More than a queue of connections has by custom: none may be left in the belief that it is one."""
ADDRESSES = [f"127.0.0.{number}" for number in range(2, 8)]
A_PEER = 20 << 10
"""Bytes that one idle peer may cost."""
IN_ALL = 256
LOGIN_S = 2.0


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Both ends of the storm are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def storm(port: int, count: int = CONNECTS) -> Iterator[list[socket.socket]]:
    """Connect `count` times at once, from several addresses; none waits for another."""
    with contextlib.ExitStack() as stack:
        peers = []
        for number in range(count):
            peer = stack.enter_context(socket.socket())
            peer.bind((ADDRESSES[number % len(ADDRESSES)], 0))
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", port))
            peers.append(peer)
        yield peers


def answers(peers: list[socket.socket], within_s: float = 60.0) -> list[bytes]:
    """Return the first that each peer reads: the server's greeting, or nothing of an end."""
    found: dict[socket.socket, bytes] = {}
    deadline = time.monotonic() + within_s
    with selectors.DefaultSelector() as waiting:
        for peer in peers:
            waiting.register(peer, selectors.EVENT_READ)
        while len(found) < len(peers) and time.monotonic() < deadline:
            for key, _ in waiting.select(0.1):
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                with contextlib.suppress(OSError):
                    found[ready] = ready.recv(100)
                found.setdefault(ready, b"")
                waiting.unregister(ready)
    return list(found.values())


def resident() -> int:
    """Bytes of memory that this process, broker and all, has at the moment; proc(5)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.usefixtures("_many_files")
def test_in_a_storm_of_connects_each_is_answered_and_a_login_gets_in_meanwhile(
    stand: Stand,
) -> None:
    doorway = stand.broker.running.worker.doorway

    def waiting() -> int:
        return stand.broker.ask(lambda: doorway.waiting)

    live = stand.popen("cat")
    assert live.stdin is not None and live.stdout is not None
    before = resident()
    with storm(stand.client.port) as peers:
        assert stand.client.run(stand.user, "echo in").stdout == b"in\n"
        live.stdin.write(b"still here\n")
        live.stdin.flush()
        assert live.stdout.readline() == b"still here\n"
        said = answers(peers)
        assert len(said) == CONNECTS
        assert all(one == b"" or one.startswith(b"SSH-2.0-") for one in said)
        assert waiting() <= IN_ALL
        # The door is full now, of others: there is a place for who comes alone.
        assert stand.client.run(stand.user, "echo in again").stdout == b"in again\n"
        assert resident() - before < CONNECTS * A_PEER + (8 << 20)
    eventually_sync(lambda: waiting() == 0, what="the storm to be over")


@pytest.mark.usefixtures("_many_files")
def test_who_connects_while_nobody_accepts_is_not_forgotten() -> None:
    with open("/proc/sys/net/core/somaxconn") as file:
        count = min(CONNECTS, int(file.read()))
    accepted = 0
    with bind("127.0.0.1:0") as listening, storm(listening.getsockname()[1], count):

        def all_of_them() -> bool:
            nonlocal accepted
            with contextlib.suppress(BlockingIOError):
                while True:
                    listening.accept()[0].close()
                    accepted += 1
            return accepted == count

        eventually_sync(all_of_them, what="every connection to be there")


def test_peers_that_never_log_in_are_dropped_when_the_time_for_it_is_up() -> None:
    with mock.patch.object(algorithms, "LOGIN_TIMEOUT_S", LOGIN_S), Stand() as stand:
        peers: list[socket.socket] = []
        with contextlib.ExitStack() as stack:
            for number in range(60):
                peer = socket.create_connection(("127.0.0.1", stand.client.port), 10)
                peers.append(stack.enter_context(peer))
                # Nothing at all, a greeting and no more, half a packet.
                with contextlib.suppress(OSError):
                    peer.sendall((b"", b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\0\0\4")[number % 3])
            for peer in peers:
                peer.settimeout(30)
                with contextlib.suppress(ConnectionResetError):
                    while peer.recv(4096):
                        pass
        eventually_sync(
            lambda: stand.broker.ask(lambda: stand.broker.running.worker.doorway.waiting) == 0,
            what="nobody to wait at the door",
        )


def test_a_crowd_from_few_addresses_makes_room_at_once_for_who_comes_from_another() -> None:
    out: list[int] = []
    door = Doorway(lambda: 0.0, Tally.alone())
    for number in range(IN_ALL):
        address = ADDRESSES[number % 5]
        assert door.enter(number, address, functools.partial(out.append, number))
    assert door.enter("good", "10.0.0.9", lambda: None)
    assert out == [0] and door.waiting == IN_ALL
    # Those of the crowd have no more right to a place than each other.
    assert not door.enter("one more", ADDRESSES[0], lambda: None)
    assert out == [0]
