"""Plain ssh through a jump: its only configuration is what `psm ssh-config` prints."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import asyncssh

from psm_console.cli.ssh_config import known_lines, stanza
from psm_console.credentials import make_key, public_line
from psm_console.operations import WayIn
from tests.support.openssh import environment
from tests.support.terminal import PtyProcess
from tests.support.tools import find_tool

from .stand import Stand

_REST = """
Host *
    IdentityFile {key}
    IdentitiesOnly yes
    BatchMode yes
    StrictHostKeyChecking yes
    UserKnownHostsFile {known_hosts}
    GlobalKnownHostsFile /dev/null
    UpdateHostKeys no
    ControlPath {folder}/%n
"""


class Jumper:
    """ana's client, which knows the targets by name: `jumper.run("root@db1", "id")`."""

    def __init__(self, stand: Stand, targets: Sequence[str] = ("db1",)) -> None:
        self.stand = stand
        self.at = f"{stand.sshd.user}@db1"
        self._targets = tuple(targets)
        self.folder = stand.client.folder
        self.config = self.folder / "config"
        self.known_hosts = self.folder / "known_targets"
        self.configure(make_key(stand.home.host_ca, "ca"))

    def configure(self, host_ca: str) -> None:
        """Write what a client's home would hold, trusting this host CA."""
        key = public_line(self.stand.home.host_key)
        found = WayIn("ana", self._targets, key, (host_ca,), None)
        at = ("127.0.0.1", self.stand.client.port)
        self.known_hosts.write_text("\n".join([*known_lines(found, *at), ""]))
        rest = _REST.format(
            key=self.stand.client.key, known_hosts=self.known_hosts, folder=self.folder
        )
        self.config.write_text("\n".join(stanza(found, *at)) + rest)

    def argv(self, *words: str | Path, program: str = "ssh") -> list[str]:
        """Return the command line of a client that reads this configuration."""
        found = find_tool(program)
        assert found is not None, program
        return [found, "-F", str(self.config), *map(str, words)]

    def run(
        self, *words: str | Path, program: str = "ssh", stdin: bytes = b"", timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a client to its end."""
        return subprocess.run(
            self.argv(*words, program=program),
            input=stdin,
            capture_output=True,
            env=environment(),
            timeout=timeout_s,
        )

    def popen(self, *words: str) -> subprocess.Popen[bytes]:
        """Start ssh with pipes; the stand's `tidy` ends it."""
        process = subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.stand._processes.append(process)
        return process

    def terminal(self, *words: str) -> PtyProcess:
        """Start ssh in a terminal of its own."""
        return PtyProcess(self.argv(*words), env=environment() | {"TERM": "xterm-256color"})

    async def outer(self, client: asyncssh.SSHClient | None = None) -> asyncssh.SSHClientConnection:
        """Return an outer connection whose channels a test opens as it likes."""
        return await asyncssh.connect(
            "127.0.0.1",
            self.stand.client.port,
            username="ana",
            known_hosts=None,
            client_factory=lambda: client or asyncssh.SSHClient(),
            **self._plain(),
        )

    async def inner(
        self,
        outer: asyncssh.SSHClientConnection,
        user: str | None = None,
        host: str = "db1",
        key: Path | None = None,
        window: int = 2 << 20,
        client: asyncssh.SSHClient | None = None,
    ) -> asyncssh.SSHClientConnection:
        """Return a connection to `host` inside `outer`; its host certificate is checked."""
        outer.create_connection = partial(  # type: ignore[method-assign]
            type(outer).create_connection, outer, window=window
        )
        return await asyncssh.connect(
            host,
            22,
            tunnel=outer,
            username=self.stand.sshd.user if user is None else user,
            known_hosts=str(self.known_hosts),
            client_factory=lambda: client or asyncssh.SSHClient(),
            **self._plain(key),
        )

    def _plain(self, key: Path | None = None) -> dict[str, object]:
        keys = [str(key or self.stand.client.key)]
        return {"client_keys": keys, "config": None, "agent_path": None}
