"""Who the broker lets in, as whom, and what the others read."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
from pathlib import Path

import asyncssh
import pytest

from psm_console.domain.inventory import Account, Grant, Identity, PasswordFile, Role
from psm_console.domain.names import AccountRef, GrantId
from tests.support.sshd import free_port, write_key
from tests.support.waiting import eventually_sync

from .stand import Stand


@pytest.fixture
def mallory(stand: Stand, tmp_path: Path) -> Path:
    """A key of an identity that has no grant."""
    line = write_key(tmp_path / "mallory")
    inventory = stand.inventory()
    identities = inventory.identities | {
        "mallory": Identity("mallory", frozenset({Role.OPERATOR}), (line,))
    }
    stand.apply(dataclasses.replace(inventory, identities=identities))
    return tmp_path / "mallory"


def test_the_key_names_the_operator_where_the_login_does_not(stand: Stand) -> None:
    assert stand.client.run(str(stand.ref), "echo hi").stdout == b"hi\n"
    assert stand.last().operator == "ana"


def test_a_key_that_nobody_has_is_refused(stand: Stand, tmp_path: Path) -> None:
    write_key(tmp_path / "stranger")
    own, stand.client.key = stand.client.key, tmp_path / "stranger"
    try:
        refused = stand.client.run(stand.user, "id", options=["-o", "BatchMode=no"])
    finally:
        stand.client.use_key(own)

    assert refused.returncode == 255 and refused.stdout == b""
    assert b"no key offered is known for this name" in refused.stderr


def test_a_user_name_of_another_form_is_told_the_form(stand: Stand) -> None:
    refused = stand.client.run("Root%db1", "id", options=["-o", "BatchMode=no"])

    assert refused.returncode == 255
    assert b"log in as OPERATOR+ACCOUNT@TARGET" in refused.stderr


@pytest.mark.attack
def test_another_operators_name_with_ones_own_key_is_refused(stand: Stand, mallory: Path) -> None:
    own, stand.client.key = stand.client.key, mallory
    try:
        refused = stand.client.run(stand.user, "id")
    finally:
        stand.client.use_key(own)

    assert refused.returncode == 255 and refused.stdout == b""


@pytest.mark.attack
async def test_a_key_that_is_only_offered_names_nobody(stand: Stand, mallory: Path) -> None:
    """CVE-2024-45337: offer ana's public key, then prove mallory's on the same connection."""
    mine = asyncssh.read_private_key(mallory)
    offered, proved = asyncssh.load_keypairs([mine, mine])
    offered.public_data = asyncssh.read_public_key(f"{stand.client.key}.pub").public_data

    async with asyncssh.connect(
        "127.0.0.1",
        stand.client.port,
        username=str(stand.ref),
        client_keys=[offered, proved],
        known_hosts=None,
        config=None,
        agent_path=None,
    ) as connection:
        with pytest.raises(asyncssh.ChannelOpenError, match="mallory has no grant"):
            await connection.run("id")


@pytest.mark.attack
def test_a_key_that_two_identities_share_names_neither(stand: Stand) -> None:
    inventory = stand.inventory()
    twin = dataclasses.replace(inventory.identities["ana"], name="twin")
    stand.apply(dataclasses.replace(inventory, identities=inventory.identities | {"twin": twin}))

    assert stand.client.run(str(stand.ref), "id").returncode == 255
    assert stand.client.run(stand.user, "echo named").stdout == b"named\n"


@pytest.mark.attack
def test_a_removed_key_opens_nothing_from_then_on(stand: Stand) -> None:
    inventory = stand.inventory()
    stand.apply(dataclasses.replace(inventory, identities={}, grants=()))

    assert stand.client.run(stand.user, "id").returncode == 255


def test_without_a_grant_the_client_reads_why(stand: Stand) -> None:
    refused = stand.client.run("ana+postgres@db1", "id")

    assert refused.returncode == 255
    assert b"ana has no grant for postgres@db1" in refused.stderr
    eventually_sync(
        lambda: (
            "ana"
            in [
                e.actor
                for e in stand.read(lambda s: s.audit.list())
                if e.action == "session.refuse"
            ]
        ),
        what="the audit entry",
    )


def test_an_identity_alone_is_told_to_name_an_account(stand: Stand) -> None:
    refused = stand.client.run("ana", "id")

    assert refused.returncode == 255 and b"log in as OPERATOR+ACCOUNT" in refused.stderr


def test_the_notice_of_recording_is_the_authentication_banner(stand: Stand) -> None:
    result = stand.client.run(stand.user, "true")

    assert b"This session is recorded and may be watched." in result.stderr
    assert result.stdout == b""


@pytest.mark.attack
def test_a_target_that_shows_another_host_key_is_refused(stand: Stand, tmp_path: Path) -> None:
    inventory = stand.inventory()
    other = dataclasses.replace(
        inventory.targets["db1"], host_keys=(write_key(tmp_path / "other"),)
    )
    stand.apply(dataclasses.replace(inventory, targets={"db1": other}))

    refused = stand.client.run(stand.user, "id")

    assert refused.returncode == 255
    assert b"does not show the host key that is pinned" in refused.stderr
    assert stand.last().end_reason is not None


def test_a_target_that_is_down_is_named_with_the_reason(stand: Stand) -> None:
    inventory = stand.inventory()
    down = dataclasses.replace(inventory.targets["db1"], port=free_port())
    stand.apply(dataclasses.replace(inventory, targets={"db1": down}))

    refused = stand.client.run(stand.user, "id")

    assert refused.returncode == 255
    assert b"db1 can not be reached" in refused.stderr


@pytest.mark.attack
def test_a_target_that_refuses_the_credential_gives_a_sentence_without_it(
    stand: Stand, tmp_path: Path
) -> None:
    (tmp_path / "pw").write_text("canary-7f3a\n")
    (tmp_path / "pw").chmod(0o600)
    inventory = stand.inventory()
    account = Account(stand.ref, PasswordFile(str(tmp_path / "pw")))
    stand.apply(dataclasses.replace(inventory, accounts={stand.ref: account}))

    refused = stand.client.run(stand.user, "id")

    assert refused.returncode == 255
    assert b"refused the credential" in refused.stderr
    assert not any(b"canary-7f3a" in text for text in (refused.stderr, stand.kept()))


@pytest.mark.attack
async def test_a_channel_before_authentication_ends_the_connection(stand: Stand) -> None:
    """CVE-2018-10933 and its kin: no handler runs for somebody nobody has proved."""

    class Impatient(asyncssh.SSHClient):
        def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
            opening = b"\0\0\0\7session" + struct.pack(">III", 0, 1 << 20, 1 << 15)

            def open_at_once(**_: object) -> None:
                conn._auth_complete = True  # or asyncssh keeps the packet back
                conn.send_packet(90, opening)

            conn.try_next_auth = open_at_once  # type: ignore[method-assign]

    before = len(stand.sessions(live_only=False))
    with pytest.raises(asyncssh.DisconnectError):
        async with asyncio.timeout(10):
            await asyncssh.connect(
                "127.0.0.1",
                stand.client.port,
                username=stand.user,
                client_factory=Impatient,
                client_keys=None,
                known_hosts=None,
                config=None,
                agent_path=None,
            )
    assert len(stand.sessions(live_only=False)) == before


@pytest.mark.attack
@pytest.mark.parametrize(
    "first", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 5000, b"SSH-1.5-x\r\n"]
)
def test_garbage_instead_of_ssh_harms_nobody(stand: Stand, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", stand.client.port), 5) as peer:
        peer.sendall(first)

        assert stand.client.run(stand.user, "echo fine").stdout == b"fine\n"


@pytest.fixture(autouse=True)
def fresh_inventory(stand: Stand) -> None:
    """Each test starts from the same inventory, and the broker has read it."""
    stand.apply(stand.inventory())


def test_a_grant_added_while_the_broker_runs_counts_at_once(stand: Stand) -> None:
    inventory = stand.inventory()
    stand.apply(dataclasses.replace(inventory, grants=()))
    assert stand.client.run(stand.user, "id").returncode == 255

    added = Grant(GrantId("late"), "ana", AccountRef(stand.ref.account, "db1"))
    stand.apply(dataclasses.replace(inventory, grants=(added,)))

    assert stand.client.run(stand.user, "echo in").stdout == b"in\n"
