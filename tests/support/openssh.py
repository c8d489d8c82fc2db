"""The real OpenSSH client, with a known_hosts and an identity of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from .sshd import write_key
from .terminal import PtyProcess
from .tools import find_tool, need

_OPTIONS = {
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "ConnectTimeout": "30",
    "ControlPath": "none",
    "LogLevel": "INFO",
}


class OpenSsh:
    """`with OpenSsh(host, port, host_key_line) as client:` then `run`, `terminal` or `master`.

    It makes an Ed25519 key of its own (`public_line` goes into an inventory); `use_key` takes
    another. Nothing of the user's configuration, agent or known_hosts is read.
    """

    def __init__(self, host: str, port: int, host_key_line: str) -> None:
        need("ssh")
        self.host = host
        self.port = port
        self._host_key_line = host_key_line

    def __enter__(self) -> OpenSsh:
        # Short: the path of a ControlMaster socket may have 104 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="ssh-"))
        self.key = self.folder / "id"
        self.public_line = write_key(self.key, "client")
        self.known_hosts = self.folder / "known_hosts"
        self.trust(self._host_key_line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def use_key(self, path: Path) -> None:
        """Prove who we are with the private key at `path` from now on."""
        self.key = path

    def trust(self, host_key_line: str) -> None:
        """Accept only `host_key_line` from the server from now on."""
        self.known_hosts.write_text(f"[{self.host}]:{self.port} {host_key_line}\n")

    def argv(self, user: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return the full command line; `options` come before the host, `arguments` after."""
        program = find_tool("ssh")
        assert program is not None
        # The first value of an option wins: the caller's stand before ours.
        argv = [program, "-F", "none", *options, "-i", str(self.key), "-p", str(self.port)]
        argv += ["-o", f"UserKnownHostsFile={self.known_hosts}"]
        for name, value in _OPTIONS.items():
            argv += ["-o", f"{name}={value}"]
        return [*argv, "-l", user, self.host, *arguments]

    def run(
        self,
        user: str,
        command: str | None = None,
        *,
        stdin: bytes = b"",
        options: Sequence[str] = (),
        timeout_s: float = 30.0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `command` (or a shell) without a PTY; stdout, stderr and status as they came."""
        argv = self.argv(user, *([command] if command is not None else []), options=options)
        return subprocess.run(
            argv, input=stdin, capture_output=True, timeout=timeout_s, env=environment()
        )

    def popen(
        self, user: str, command: str | None = None, *, options: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start `command` with pipes on its three streams; the caller ends it."""
        argv = self.argv(user, *([command] if command is not None else []), options=options)
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )

    def terminal(
        self,
        user: str,
        command: str | None = None,
        *,
        columns: int = 80,
        rows: int = 24,
        options: Sequence[str] = (),
        term: str = "xterm-256color",
    ) -> PtyProcess:
        """Start ssh in a terminal of its own; a shell, or `command` with a PTY on the target."""
        force = ["-tt"] if command is not None else []
        argv = self.argv(
            user, *([command] if command is not None else []), options=[*force, *options]
        )
        return PtyProcess(argv, columns=columns, rows=rows, env=environment() | {"TERM": term})

    @contextlib.contextmanager
    def master(self, user: str) -> Iterator[list[str]]:
        """Hold a ControlMaster; yields the options with which other calls go through it."""
        through = ["-o", f"ControlPath={self.folder}/m"]
        argv = self.argv(user, options=[*through, "-o", "ControlMaster=yes", "-fN"])
        subprocess.run(argv, check=True, timeout=30, env=environment(), stdin=subprocess.DEVNULL)
        try:
            yield through
        finally:
            subprocess.run(
                self.argv(user, options=[*through, "-O", "exit"]),
                timeout=30,
                env=environment(),
                capture_output=True,
            )


def environment() -> dict[str, str]:
    """Return the environment of a client: no agent, no askpass, an UTF-8 locale."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
    }
