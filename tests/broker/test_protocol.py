"""The protocol below the login: old algorithms, downgrades, and clients that take their time."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncssh
import pytest

from psm_console.broker.ssh import algorithms
from tests.support.tools import find_tool, need
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.attack

WEAK = [
    "KexAlgorithms=diffie-hellman-group14-sha1",
    "KexAlgorithms=diffie-hellman-group1-sha1",
    "KexAlgorithms=diffie-hellman-group-exchange-sha1",
    "Ciphers=aes128-cbc",
    "Ciphers=3des-cbc",
    "Ciphers=chacha20-poly1305@openssh.com",
    "Ciphers=aes256-ctr -oMACs=hmac-sha1",
    "Ciphers=aes256-ctr -oMACs=hmac-md5",
    "Ciphers=aes256-ctr -oMACs=umac-64-etm@openssh.com",
    "HostKeyAlgorithms=ssh-rsa",
]


@pytest.mark.parametrize("option", WEAK)
def test_weak_algorithms_are_not_spoken(stand: Stand, option: str) -> None:
    refused = stand.client.run(stand.user, "id", options=["-o", *option.split(" ")])

    assert refused.returncode == 255 and refused.stdout == b""
    assert b"no matching" in refused.stderr.lower() or b"Unable to negotiate" in refused.stderr


def test_a_login_signed_with_sha1_is_refused_and_with_sha2_not(
    stand: Stand, tmp_path: Path
) -> None:
    need("ssh-keygen")
    keygen = find_tool("ssh-keygen")
    assert keygen is not None
    key = tmp_path / "rsa"
    subprocess.run([keygen, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(key)], check=True)
    inventory = stand.inventory()
    ana = inventory.identities["ana"]
    object.__setattr__(ana, "keys", (Path(f"{key}.pub").read_text(),))
    stand.apply(inventory)
    own, stand.client.key = stand.client.key, key
    only = ["-o", "PubkeyAcceptedAlgorithms=ssh-rsa"]
    try:
        weak = stand.client.run(stand.user, "echo in", options=only)
        strong = stand.client.run(stand.user, "echo in")
    finally:
        stand.client.use_key(own)
        stand.apply(stand.inventory())

    assert weak.returncode == 255 and weak.stdout == b""
    assert strong.stdout == b"in\n"


async def test_a_sha1_signature_that_is_sent_all_the_same_is_refused(stand: Stand) -> None:
    """ssh is polite and does not send it where the server's list has none."""
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    inventory = stand.inventory()
    line = key.export_public_key().decode().strip()
    object.__setattr__(inventory.identities["ana"], "keys", (line,))
    stand.apply(inventory)
    (pair,) = asyncssh.load_keypairs([key])
    try:
        for algorithm, fine in ((b"ssh-rsa", False), (b"rsa-sha2-256", True)):
            pair.set_sig_algorithm(algorithm)
            try:
                async with asyncssh.connect(
                    "127.0.0.1",
                    stand.client.port,
                    username=stand.user,
                    client_keys=[pair],
                    signature_algs=[algorithm.decode()],
                    known_hosts=None,
                    config=None,
                    agent_path=None,
                ):
                    assert fine, algorithm
            except asyncssh.PermissionDenied:
                assert not fine, algorithm
    finally:
        stand.apply(stand.inventory())


def test_the_server_offers_strict_key_exchange_and_nothing_weak(stand: Stand) -> None:
    """Terrapin (CVE-2023-48795) is closed by both sides' strict kex, which OpenSSH offers."""
    lists = _kexinit(stand.client.port)

    assert "kex-strict-s-v00@openssh.com" in lists[0]
    offered = " ".join(",".join(one) for one in lists)
    for weak in ("sha1", "md5", "cbc", "arcfour", "3des", "dss", "group1-", "zlib", "none,"):
        assert weak not in offered, weak
    assert lists[6] == lists[7] == ["none"]


def _kexinit(port: int) -> list[list[str]]:
    """Return the name-lists of the server's first packet (RFC 4253 7.1)."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.sendall(b"SSH-2.0-test\r\n")
        stream = peer.makefile("rb")
        assert stream.readline().startswith(b"SSH-2.0-")
        size, padding = struct.unpack(">IB", stream.read(5))
        payload = stream.read(size - 1)[: size - 1 - padding]
    lists, at = [], 17
    for _ in range(10):
        (length,) = struct.unpack_from(">I", payload, at)
        lists.append(payload[at + 4 : at + 4 + length].decode().split(","))
        at += 4 + length
    return lists


@pytest.fixture(scope="module")
def hasty() -> Iterator[Stand]:
    """A broker that gives a login a second."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(algorithms, "LOGIN_TIMEOUT_S", 1)
            running = stack.enter_context(Stand())
        yield running


BEGINNINGS = {
    "nothing": b"",
    "a name without end": b"SSH-2.0-",
    "a name and no more": b"SSH-2.0-slow\r\n",
    "half a packet": b"SSH-2.0-slow\r\n" + struct.pack(">IB", 2000, 4) + b"\x14" + b"x" * 40,
    "lines before the name": b"hello\r\n" * 3,
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_client_that_takes_its_time_is_dropped_when_its_time_is_over(
    hasty: Stand, beginning: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", hasty.client.port), 10) as peer:
        peer.sendall(beginning)
        peer.settimeout(15)
        began = time.monotonic()
        while _read(peer):
            pass
        assert time.monotonic() - began < 15
    eventually_sync(lambda: hasty.broker.running.worker.doorway.waiting == 0)
    assert hasty.broker.ask(lambda: True)


def test_a_byte_now_and_then_buys_no_time(hasty: Stand) -> None:
    with socket.create_connection(("127.0.0.1", hasty.client.port), 10) as peer:
        peer.settimeout(0.1)
        ended = False
        for byte in (b"SSH-2.0-" + b"x" * 200) * 2:
            try:
                peer.sendall(bytes([byte]))
                while peer.recv(4096):
                    pass
                ended = True
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
    assert ended, "a client that sends a byte every 100 ms was still there after 40 s"


def _read(peer: socket.socket) -> bytes:
    try:
        return peer.recv(4096)
    except ConnectionError:
        return b""
