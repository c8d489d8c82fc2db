"""A target whose sftp server lies: names that climb, and names that command terminals."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from psm_console.domain.inventory import Target
from tests.support.openssh import environment
from tests.support.tools import need

from .stand import Stand

pytestmark = pytest.mark.attack

CLIMBING = [b"../climbed", b"../../climbed", b"..", b"a/../../climbed"]
COMMANDING = [b"\x1b]0;pwned\x07", b"\xff\xfe\x9b31m", "\u202etxt.sh".encode(), b"new\nline"]


class Liar(asyncssh.SFTPServer):
    """Has one folder, in which every name is hostile but one."""

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        kind = 0o40755 if path.rstrip(b"/").endswith(b"/here") else 0o100644
        return asyncssh.SFTPAttrs(size=4, permissions=kind)

    lstat = stat

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        return self.stat(b"a file")

    def realpath(self, path: bytes) -> bytes:
        return path if path != b"." else b"/\x1b]0;pwned\x07"

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name in [*CLIMBING, *COMMANDING, b"honest"]:
            shown = b"-rw-r--r-- 1 0 0 4 Jan 1 2026 " + name
            yield asyncssh.SFTPName(name, shown, attrs=self.stat(name))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        return object()

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        return b"evil"[offset : offset + size]

    def close(self, file_obj: object) -> None:
        return None


class Open(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


async def test_names_that_lie_climb_nowhere_and_reach_no_terminal_through_the_broker(
    stand: Stand, tmp_path: Path
) -> None:
    """The client's own care holds as without a broker, and what the broker writes is clean."""
    need("scp")
    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.create_server(
        Open, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=Liar, encoding=None
    )
    line = key.export_public_key().decode().strip()
    target = Target("db1", "127.0.0.1", server.get_port(), (line,))
    stand.apply(dataclasses.replace(stand.inventory(), targets={"db1": target}))
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    ssh = stand.client.argv(stand.user)[1:-3]
    port = ssh.index("-p")
    ssh[port] = "-P"
    try:
        argv = ["scp", *ssh, "-r", "-o", f"User={stand.user}", "127.0.0.1:/here", str(inner)]
        done = await asyncio.to_thread(
            subprocess.run, argv, capture_output=True, env=environment(), timeout=60
        )
        session = await asyncio.to_thread(stand.last)
    finally:
        stand.apply(stand.inventory())
        server.close()

    assert {"honest", "climbed"} & _names(tmp_path) == {"honest"}, done.stderr
    kept = (stand.recording(session) / "1-sftp.jsonl").read_bytes()
    entries = stand.read(lambda store: store.audit.list(session=session.id))
    details = [entry.detail for entry in entries]
    # Not as JSON or a repr: both would escape what is looked for here.
    plain = [one if isinstance(one, str) else "".join(map(str, one.values())) for one in details]
    written = kept.decode() + "".join(plain)
    assert "honest" in written
    assert not set("\x1b\x07\x9b\u202e") & set(written)


def _names(folder: Path) -> set[str]:
    """The names of all that is below `folder`."""
    return {path.name for path in folder.rglob("*")}
