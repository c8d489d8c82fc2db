"""A host in a target's place, a target turned hostile: what it is told, and what it can say.

The rule: the secret goes to nobody but the holder of the pinned key, in answer to no question.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from psm_console.domain.inventory import Account, PasswordFile, Target
from tests.support.sshd import Sshd

from .stand import Stand

pytestmark = pytest.mark.attack

SECRET = "canary-51c0ffee"
DIRTY = "\x1b]0;pwned\x07\x9b31m\u202e\r\n[psm] session approved"


class Impostor(asyncssh.SSHServer):
    """Keeps what it is told by whoever connects, and lets nobody in."""

    def __init__(self) -> None:
        self.users: list[str] = []
        self.secrets: list[str] = []
        self.connections = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connections += 1
        self.conn = conn

    def begin_auth(self, username: str) -> bool:
        self.users.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.secrets.append(password)
        return False


class Asking(Impostor):
    """Wants to know things by keyboard-interactive, one after the other."""

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        self.secrets += responses
        return "", "", "", [("Password of another host: ", False)]


class Talking(Impostor):
    """Says hostile things to whoever comes, and refuses the channel with more of them."""

    def begin_auth(self, username: str) -> bool:
        self.users.append(username)
        self.conn.send_auth_banner(f"{DIRTY}\r\n")
        self.conn.send_debug(DIRTY, always_display=True)
        return False

    def session_requested(self) -> bool:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, DIRTY)


class Leaving(Impostor):
    """Hangs up with a hostile reason."""

    def begin_auth(self, username: str) -> bool:
        self.conn.disconnect(asyncssh.DISC_BY_APPLICATION, DIRTY)
        return True


@asynccontextmanager
async def in_its_place(
    stand: Stand, folder: Path, impostor: Impostor, *, pinned: bool
) -> AsyncIterator[None]:
    """Inside the block `impostor` answers at db1's address, for an account with a password."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        lambda: impostor, "127.0.0.1", 0, server_host_keys=[key], encoding=None
    )
    (folder / "password").write_text(SECRET)
    (folder / "password").chmod(0o600)
    line = key.export_public_key().decode().strip() if pinned else stand.sshd.host_key_line
    stand.apply(
        dataclasses.replace(
            stand.inventory(),
            targets={"db1": Target("db1", "127.0.0.1", server.get_port(), (line,))},
            accounts={stand.ref: Account(stand.ref, PasswordFile(str(folder / "password")))},
        )
    )
    try:
        yield
    finally:
        stand.apply(stand.inventory())
        server.close()


async def refused(stand: Stand) -> str:
    """What ana reads when her session can not be opened."""
    done = await asyncio.to_thread(stand.client.run, stand.user, "id")
    assert (done.returncode, done.stdout) == (255, b"")
    said = done.stderr.decode("utf-8", "replace")
    assert SECRET not in said
    return said


def kept(stand: Stand) -> str:
    """All that the broker keeps: the store, recordings and the audit log."""
    return stand.kept().decode("utf-8", "replace")


async def test_a_host_with_another_key_is_told_neither_the_user_nor_the_secret(
    stand: Stand, tmp_path: Path
) -> None:
    impostor = Impostor()
    async with in_its_place(stand, tmp_path, impostor, pinned=False):
        said = await refused(stand)

    assert "does not show the host key that is pinned" in said
    assert impostor.connections == 1
    assert (impostor.users, impostor.secrets) == ([], [])


async def test_the_secret_goes_to_the_holder_of_the_pinned_key_once(
    stand: Stand, tmp_path: Path
) -> None:
    impostor = Impostor()
    async with in_its_place(stand, tmp_path, impostor, pinned=True):
        said = await refused(stand)

    assert "refused the credential" in said
    assert impostor.secrets == [SECRET]
    assert SECRET not in await asyncio.to_thread(kept, stand)


async def test_a_target_that_asks_questions_gets_no_answer(stand: Stand, tmp_path: Path) -> None:
    asking = Asking()
    async with in_its_place(stand, tmp_path, asking, pinned=True):
        said = await refused(stand)

    assert "refused the credential" in said
    assert asking.users == [stand.ref.account] and asking.secrets == []


@pytest.mark.parametrize("hostile", [Talking, Leaving])
async def test_what_a_target_says_at_the_door_reaches_no_terminal(
    stand: Stand, tmp_path: Path, hostile: type[Impostor]
) -> None:
    async with in_its_place(stand, tmp_path, hostile(), pinned=True):
        said = await refused(stand)

    entries = await asyncio.to_thread(stand.read, lambda store: store.audit.list())
    for text in (said, *(entry.detail or "" for entry in entries), stand.last().end_reason or ""):
        assert not set("\x1b\x07\x9b\u202e") & set(text)
        assert not any(line.startswith("[psm] session approved") for line in text.splitlines())


async def test_a_banner_that_is_no_utf_8_is_no_reason_to_give_up(
    stand: Stand, tmp_path: Path
) -> None:
    """Old devices greet in Latin-1."""

    class Old(Impostor):
        def password_auth_supported(self) -> bool:
            banner = "Zugang nur für Befugte".encode("latin-1")
            packet = len(banner).to_bytes(4, "big") + banner + b"\0\0\0\0"
            self.conn.send_packet(53, packet)
            return True

    old = Old()
    async with in_its_place(stand, tmp_path, old, pinned=True):
        said = await refused(stand)

    assert "refused the credential" in said and old.secrets == [SECRET]


def test_one_target_with_the_key_of_another_is_refused(stand: Stand) -> None:
    """Both keys are in the inventory: each holds for its own target only."""
    with Sshd() as other:
        inventory = stand.inventory()
        db1 = inventory.targets["db1"]
        web = Target("web", "127.0.0.1", other.port, (other.host_key_line,))
        swapped = dataclasses.replace(db1, port=other.port)
        stand.apply(dataclasses.replace(inventory, targets={"db1": swapped, "web": web}))
        try:
            done = stand.client.run(stand.user, "id")
        finally:
            stand.apply(inventory)

        assert done.returncode == 255 and done.stdout == b""
        assert b"does not show the host key that is pinned" in done.stderr
        # Only reached: nobody tried to log in there.
        assert "userauth" not in other.log.read_text()
        assert "Accepted" not in other.log.read_text()
