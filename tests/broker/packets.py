"""Packets as SSH writes them, and what a careless or hostile client could make of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct

import asyncssh

from .stand import Stand

_U32 = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def string(data: bytes) -> bytes:
    """Return `data` as RFC 4251 writes a string."""
    return struct.pack(">I", len(data)) + data


def number(value: int) -> bytes:
    """Return a uint32."""
    return struct.pack(">I", value)


def userauth(user: str, key: bytes) -> list[tuple[int, bytes]]:
    """Return what a client may send before it is let in (RFC 4252, 4256)."""
    head = string(user.encode()) + string(b"ssh-connection")
    certificate = (
        string(b"ssh-ed25519-cert-v01@openssh.com") + string(b"n" * 32) + string(key[-32:])
    )
    certificate += struct.pack(">QI", 1, 1) + string(b"id") + string(string(b"ana"))
    certificate += struct.pack(">QQ", 0, 1 << 63) + string(b"") * 3 + string(key) + string(b"sig")
    sk = string(b"sk-ssh-ed25519@openssh.com") + string(b"k" * 32) + string(b"ssh:")
    requests = [
        string(b"none"),
        string(b"password") + b"\0" + string(b"secret"),
        string(b"hostbased")
        + string(b"ssh-ed25519")
        + string(key)
        + string(b"h") * 2
        + string(b""),
        string(b"keyboard-interactive") + string(b"") * 2,
        string(b"gssapi-with-mic") + number(1) + string(b"\x06\x01\x00"),
    ]
    for blob in (key, certificate, sk):
        kind = blob[4 : 4 + struct.unpack_from(">I", blob)[0]]
        requests.append(string(b"publickey") + b"\0" + string(kind) + string(blob))
        signature = string(kind) + string(b"s" * 64)
        requests.append(
            string(b"publickey") + b"\1" + string(kind) + string(blob) + string(signature)
        )
    sent = [(50, head + request) for request in requests]
    return [
        *sent,
        (61, number(1) + string(b"123456")),
        (61, number(0)),
        (60, b""),
        (5, string(b"x")),
    ]


def connection() -> list[tuple[int, bytes]]:
    """Return what a client may send once it is in (RFC 4254, OpenSSH's PROTOCOL)."""
    opening = number(7) + number(1 << 21) + number(1 << 15)
    ends = string(b"127.0.0.1") + number(22) + string(b"127.0.0.1") + number(1)
    kinds = [
        string(b"session") + opening,
        string(b"direct-tcpip") + opening + ends,
        string(b"direct-streamlocal@openssh.com")
        + opening
        + string(b"/x")
        + string(b"")
        + number(0),
        string(b"tun@openssh.com") + opening + number(1) + number(0),
        string(b"forwarded-tcpip") + opening + ends,
        string(b"x11") + opening + string(b"h") + number(1),
        string(b"auth-agent@openssh.com") + opening,
    ]
    sizes = number(80) * 4
    asked = [
        string(b"pty-req") + b"\1" + string(b"xterm") + sizes + string(b"\x81\0\0\x96\0\0"),
        string(b"env") + b"\1" + string(b"LANG") + string(b"C"),
        string(b"exec") + b"\1" + string(b"true"),
        string(b"shell") + b"\1",
        string(b"subsystem") + b"\1" + string(b"sftp"),
        string(b"window-change") + b"\0" + sizes,
        string(b"signal") + b"\0" + string(b"TERM"),
        string(b"break") + b"\1" + number(1),
        string(b"x11-req") + b"\1\0" + string(b"MIT") + string(b"00") + number(0),
        string(b"auth-agent-req@openssh.com") + b"\1",
        string(b"exit-status") + b"\0" + number(0),
    ]
    everywhere = [
        string(b"tcpip-forward") + b"\1" + string(b"") + number(0),
        string(b"cancel-tcpip-forward") + b"\1" + string(b"") + number(0),
        string(b"streamlocal-forward@openssh.com") + b"\1" + string(b"/x"),
        string(b"hostkeys-prove-00@openssh.com") + b"\1" + string(b"x"),
        string(b"no-more-sessions@openssh.com") + b"\0",
    ]
    packets = [(90, kind) for kind in kinds] + [(80, one) for one in everywhere]
    packets += [(98, number(0) + one) for one in asked]
    packets += [(94, number(0) + string(b"data")), (95, number(0) + number(1) + string(b"e"))]
    packets += [(93, number(0) + number(1 << 20)), (96, number(0)), (97, number(0))]
    return [*packets, (91, number(0) * 4), (92, number(0) * 2 + string(b"") * 2), (99, number(0))]


def mutated(chance: random.Random, packet: tuple[int, bytes]) -> tuple[int, bytes]:
    """Return the packet with something changed: a byte, a length, its end, its type."""
    kind, body = packet
    data = bytearray(body)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data += chance.randbytes(chance.choice((1, 40, 4000)))
            case 3 if len(data) >= 4:
                struct.pack_into(">I", data, min(at, len(data) - 4), chance.choice(_U32))
            case 4:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 5:
                data[at:at] = data[:at]
            case _:
                kind = chance.choice(
                    (1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 50, 61, 80, 90, 98, 200, 255)
                )
    return kind, bytes(data[:30_000])


class Pelting(asyncssh.SSHClient):
    """Sends changed packets instead of logging in, or once it is in."""

    def __init__(self, chance: random.Random, packets: int, corpus: list[tuple[int, bytes]]):
        self._chance = chance
        self._packets = packets
        self._corpus = corpus
        self.sent = 0
        self._task: asyncio.Task[None] | None = None
        self.connection: asyncssh.SSHClientConnection

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.connection = conn

    def instead_of_login(self) -> None:
        """Send from when a login would begin."""

        def begin(**_: object) -> None:
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._all())

        self.connection.try_next_auth = begin  # type: ignore[method-assign]

    async def _all(self) -> None:
        await self.pelt()
        self.connection.abort()

    async def pelt(self) -> None:
        """Send until all is sent or the connection is cut."""
        self.connection._auth_complete = True  # or asyncssh keeps the packets back
        while self.sent < self._packets and not self.connection.is_closed():
            packet = mutated(self._chance, self._chance.choice(self._corpus))
            self.connection.send_packet(packet[0], packet[1])
            self.sent += 1
            if self.sent % 4 == 0:
                await asyncio.sleep(0)


class _Before(Pelting):
    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        super().connection_made(conn)
        self.instead_of_login()


async def pelt_before(stand: Stand, chance: random.Random, packets: int) -> int:
    """Send changed packets on one connection that is not let in; return how many went out."""
    key = asyncssh.read_private_key(stand.client.key).public_data
    client = _Before(chance, packets, userauth(stand.user, key))
    with contextlib.suppress(asyncssh.Error, OSError):
        await _connect(stand, client, None)
    return client.sent


async def pelt_after(stand: Stand, chance: random.Random, packets: int) -> int:
    """Send changed packets on one connection that is let in; return how many went out."""
    client = Pelting(chance, packets, connection())
    with contextlib.suppress(asyncssh.Error, OSError):
        conn = await _connect(stand, client, str(stand.client.key))
        conn.send_packet(*connection()[0])
        await client.pelt()
        conn.abort()
        await conn.wait_closed()
    return client.sent


async def _connect(stand: Stand, client: Pelting, key: str | None) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        "127.0.0.1",
        stand.client.port,
        username=stand.user,
        client_factory=lambda: client,
        client_keys=[key] if key else None,
        known_hosts=None,
        config=None,
        agent_path=None,
        login_timeout=20,
    )
