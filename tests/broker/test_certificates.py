"""Certificates of a group's authority let in whom they name, here and now, and nobody else."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import struct
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
import pytest

from psm_console.credentials import parse_certificate
from psm_console.domain.inventory import Grant, Group, Identity, Inventory, Role
from psm_console.domain.names import GrantId
from tests.support.authority import Authority
from tests.support.sshd import write_key

from .asking import forgive
from .stand import Stand


@pytest.fixture
def ca(stand: Stand, tmp_path: Path) -> Authority:
    """The authority of the group ops, whose members are eve and bob, both with a grant."""
    authority = Authority(tmp_path)
    stand.apply(with_group(stand, authority.line))
    return authority


def with_group(stand: Stand, *authorities: str, members: str = "eve bob") -> Inventory:
    inventory = stand.inventory()
    people = {
        name: Identity(name, frozenset({Role.OPERATOR}), groups=("ops",))
        for name in members.split()
    }
    grants = tuple(Grant(GrantId(f"g-{name}"), name, stand.ref) for name in people)
    return dataclasses.replace(
        inventory,
        identities=inventory.identities | people,
        grants=inventory.grants + grants,
        groups={"ops": Group("ops", authorities)},
    )


def enter(
    stand: Stand, key: Path, user: str = "eve", command: str = "echo in", *options: str
) -> subprocess.CompletedProcess[bytes]:
    own, stand.client.key = stand.client.key, key
    try:
        login = f"{user}+{stand.ref}" if user else str(stand.ref)
        return stand.client.run(login, command, options=options)
    finally:
        stand.client.use_key(own)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_of_the_groups_authority_lets_its_principal_in(
    stand: Stand, ca: Authority, kind: str
) -> None:
    key = ca.certify(f"id_{kind}", "-n", "eve", "-z", "77", "-I", "eve's laptop", kind=kind)

    assert enter(stand, key).stdout == b"in\n"
    assert stand.last().operator == "eve"
    assert enter(stand, key, user="").stdout == b"in\n", "the certificate names the operator"


def test_the_audit_log_tells_key_id_and_serial(stand: Stand, ca: Authority) -> None:
    key = ca.certify("id", "-n", "eve", "-z", "4711", "-I", "eve's \x1b[31mlaptop")
    assert enter(stand, key).stdout == b"in\n"

    for action in ("login.accept", "session.connect"):
        found = stand.read(lambda s, action=action: s.audit.list(action=action))[-1]  # type: ignore[misc]
        assert found.actor == "eve"
        assert "serial 4711 of SHA256:" in str(found.detail)
        assert "laptop" in str(found.detail) and "\x1b" not in str(found.detail)


def window(start: dict[str, int], end: dict[str, int]) -> list[str]:
    """Return ssh-keygen's -V in hexadecimal seconds, which know no time zone."""
    now = datetime.now(UTC)
    first, last = ((now + timedelta(**off)).timestamp() for off in (start, end))
    return ["-V", f"{int(first):#x}:{int(last):#x}"]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (lambda: ["-n", "bob"], b"names nobody as a principal who logs in so"),
        (lambda: ["-n", "EVE,eve2,*"], b"names nobody as a principal"),
        (list, b"names no principal"),
        (lambda: ["-h", "-n", "eve"], b"Permission denied"),
        (lambda: ["-n", "eve", *window({"hours": -2}, {"hours": -1})], b"has expired"),
        (lambda: ["-n", "eve", *window({"hours": 1}, {"hours": 2})], b"is not valid yet"),
        (lambda: ["-n", "eve", "-O", "source-address=10.0.0.0/8"], b"may not be used from 127."),
        (lambda: ["-n", "eve", "-O", "force-command=id"], b"demands force-command"),
        (lambda: ["-n", "eve", "-O", "critical:hat=1"], b"demands hat"),
        (lambda: ["-n", "eve", "-O", "verify-required"], b"needs a security key that verifies"),
    ],
)
def test_what_its_authority_did_not_mean_is_refused_with_a_sentence(
    stand: Stand, ca: Authority, options: Callable[[], list[str]], said: bytes
) -> None:
    refused = enter(stand, ca.certify("id", *options()))

    assert refused.returncode == 255 and refused.stdout == b""
    assert said in refused.stderr


def test_a_source_address_that_covers_the_peer_and_a_time_that_holds_let_in(
    stand: Stand, ca: Authority
) -> None:
    options = ["-n", "bob,eve", "-O", "source-address=10.0.0.0/8,127.0.0.0/8"]
    key = ca.certify("id", *options, *window({"hours": -1}, {"hours": 1}))

    assert enter(stand, key).stdout == b"in\n"
    assert enter(stand, key, user="bob").stdout == b"in\n"
    # Without a name it could be either of them.
    assert enter(stand, key, user="").returncode == 255


@pytest.mark.attack
def test_another_authority_and_who_is_in_no_group_are_refused(
    stand: Stand, ca: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")

    refused = enter(stand, stranger.certify("id", "-n", "eve"))
    assert refused.returncode == 255 and b"principal" not in refused.stderr
    # ana is known, but in no group that this authority signs for.
    assert enter(stand, ca.certify("id2", "-n", "ana"), user="ana").returncode == 255


@pytest.mark.attack
async def test_a_certificate_is_worth_nothing_when_a_bit_of_it_is_changed(
    stand: Stand, ca: Authority
) -> None:
    """ssh would not send it; another client does, with a good signature of its key."""
    key = await asyncio.to_thread(ca.certify, "id", "-n", "eve", "-z", "7")
    certificate = asyncssh.read_certificate(f"{key}-cert.pub")
    whole = certificate.public_data
    (pair,) = asyncssh.load_keypairs([asyncssh.read_private_key(key)])
    pair.algorithm = certificate.algorithm
    pair.public_data = _flip(whole, whole.index(struct.pack(">Q", 7)) + 7)

    with pytest.raises(asyncssh.PermissionDenied):
        await connect(stand, pair)
    pair.public_data = whole
    (await connect(stand, pair)).close()


async def connect(stand: Stand, pair: asyncssh.SSHKeyPair) -> asyncssh.SSHClientConnection:
    """Log in as eve with this pair, whatever it says that it is."""
    return await asyncssh.connect(
        "127.0.0.1",
        stand.client.port,
        username=f"eve+{stand.ref}",
        client_keys=[pair],
        known_hosts=None,
        config=None,
        agent_path=None,
    )


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.attack
async def test_someone_elses_certificate_without_its_key_lets_nobody_in(
    stand: Stand, ca: Authority
) -> None:
    """The certificate is public: it is offered, and the request signed with another key."""
    key = await asyncio.to_thread(ca.certify, "id", "-n", "eve")
    thief = asyncssh.generate_private_key("ssh-ed25519")
    (pair,) = asyncssh.load_keypairs([thief])
    certificate = asyncssh.read_certificate(f"{key}-cert.pub")
    pair.public_data = certificate.public_data
    pair.algorithm = certificate.algorithm

    with pytest.raises(asyncssh.PermissionDenied):
        await connect(stand, pair)


@pytest.mark.attack
async def test_a_host_certificate_lets_nobody_in_whoever_sends_it(
    stand: Stand, ca: Authority
) -> None:
    """ssh does not send one; another client does, with a good signature of its key."""
    key = await asyncio.to_thread(ca.certify, "id", "-h", "-n", "eve")
    (pair,) = asyncssh.load_keypairs([asyncssh.read_private_key(key)])
    certificate = asyncssh.read_certificate(f"{key}-cert.pub")
    pair.public_data, pair.algorithm = certificate.public_data, certificate.algorithm

    with pytest.raises(asyncssh.PermissionDenied):
        await connect(stand, pair)


@pytest.mark.attack
def test_an_authority_that_signs_with_sha1_is_not_believed(stand: Stand, tmp_path: Path) -> None:
    authority = Authority(tmp_path, kind="rsa")
    stand.apply(with_group(stand, authority.line))

    assert enter(stand, authority.certify("good", "-n", "eve", "-t", "rsa-sha2-256")).stdout
    key = authority.certify("weak", "-n", "eve", "-t", "ssh-rsa")
    blob = base64.b64decode(Path(f"{key}-cert.pub").read_text().split()[1])
    certificate = parse_certificate(blob)
    assert certificate is not None and certificate.signature[4:11] == b"ssh-rsa"
    assert enter(stand, key, "eve", "echo in", "-o", "CASignatureAlgorithms=+ssh-rsa").stdout == b""


@pytest.mark.parametrize("taken", ["authority", "group", "member"])
def test_taking_authority_group_or_membership_away_ends_the_session(
    stand: Stand, ca: Authority, taken: str
) -> None:
    key = ca.certify("id", "-n", "eve")
    own, stand.client.key = stand.client.key, key
    try:
        process = stand.client.popen(f"eve+{stand.ref}", "echo up; cat")
    finally:
        stand.client.use_key(own)
    stand._processes.append(process)
    assert process.stdout is not None and process.stdout.readline() == b"up\n"

    now = with_group(stand, ca.line)
    eve = dataclasses.replace(now.identities["eve"], groups=())
    match taken:
        case "authority":
            now = with_group(stand, write_key(ca.folder / "new"))
        case "group":
            now = dataclasses.replace(now, groups={})
        case _:
            now = dataclasses.replace(now, identities=now.identities | {"eve": eve})
    stand.apply(now)

    process.wait(15)
    assert "no longer known" in str(stand.last().end_reason)
    assert enter(stand, key).returncode == 255


def test_a_certificate_that_permits_no_terminal_gets_none(stand: Stand, ca: Authority) -> None:
    key = ca.certify("id", "-n", "eve", "-O", "clear")

    refused = enter(stand, key, "eve", "tty", "-tt")
    assert b"PTY allocation request failed" in refused.stderr and b"/dev/" not in refused.stdout
    assert enter(stand, key).stdout == b"in\n"
    assert b"/dev/" in enter(stand, ca.certify("id", "-n", "eve"), "eve", "tty", "-tt").stdout


async def test_no_session_begins_on_a_certificate_whose_time_is_over(
    stand: Stand, ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await asyncio.to_thread(
        ca.certify, "id", "-n", "eve", *window({"hours": -1}, {"minutes": 5})
    )
    async with asyncssh.connect(
        "127.0.0.1",
        stand.client.port,
        username=f"eve+{stand.ref}",
        client_keys=[(str(key), f"{key}-cert.pub")],
        known_hosts=None,
        config=None,
        agent_path=None,
    ) as connection:
        later = datetime.now(UTC) + timedelta(minutes=6)
        monkeypatch.setattr("psm_console.broker.admission.utc_now", lambda: later)
        with pytest.raises(asyncssh.ChannelOpenError, match="has expired; log in again"):
            await connection.run("id")


@pytest.fixture(autouse=True)
def fresh_inventory(stand: Stand) -> None:
    forgive(stand)
    stand.apply(stand.inventory())
