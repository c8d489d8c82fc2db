"""Two ways to the same server, through a broker and past it, to compare what a client gets."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .tools import find_tool

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way:
    """Where a client connects, as whom, with which key; `folder` is its home, and its own."""

    host: str
    port: int
    user: str
    key: Path
    host_key_line: str
    folder: Path
    config: Path | None = None
    """An ssh configuration that says all of this; without one, OpenSSH gets it as options."""

    @property
    def known_hosts(self) -> Path:
        """A known_hosts that holds this server alone; ssh's clients look below their home."""
        return self.folder / ".ssh" / "known_hosts"

    @property
    def ssh(self) -> list[str]:
        """OpenSSH's client with this way's port, key and known_hosts; a user and host follow."""
        if self.config is not None:
            return ["ssh", "-F", str(self.config), "-o", "LogLevel=ERROR"]
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "LogLevel": "ERROR",
        }
        argv = ["ssh", "-F", "none", "-i", str(self.key), "-p", str(self.port)]
        return [*argv, *(f"-o{name}={value}" for name, value in options.items())]

    @property
    def at(self) -> str:
        """user@host, as people write it."""
        return f"{self.user}@{self.host}"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return a client's environment: a home of its own, no agent, nothing of the user's."""
        path = os.environ.get("PATH", "/usr/bin:/bin")
        return {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", **(more or {})}

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        stdin: bytes | None = b"",
        env: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a client to its end. `stdin=None` leaves it a pipe that stays open and empty."""
        program = find_tool(str(argv[0]))
        assert program is not None, argv[0]
        return subprocess.run(
            [program, *map(str, argv[1:])],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self.environment(env),
            timeout=timeout_s,
        )

    def good(self, argv: Sequence[str | Path], **rest: object) -> str:
        """Run a client to its good end and return what it printed."""
        done = self.run(argv, **rest)  # type: ignore[arg-type]
        assert done.returncode == 0, (argv, done.returncode, done.stdout[-800:], done.stderr[-800:])
        return done.stdout.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Ways:
    """Both ways to one server."""

    through: Way
    direct: Way

    def same(self, trial: Callable[[Way], T]) -> T:
        """Return what `trial` came to through the broker, once it is what it came to directly."""
        direct = trial(self.direct)
        through = trial(self.through)
        assert through == direct
        return through


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program that ran on the server came to: its status and what was on its streams."""

    status: int
    out: str
    err: str = ""

    @classmethod
    def of(cls, status: int, out: bytes, err: bytes = b"") -> Ran:
        """Keep long streams by their digest: megabytes of difference tell nothing."""
        return cls(status, brief(out), brief(err))


def brief(data: bytes) -> str:
    """Return short text as it is, and of all else the length and SHA-256."""
    if len(data) <= 200 and data.isascii():
        return data.decode()
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()}"


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Return each file below `folder` by its path: its permissions and its content's digest."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o777, brief(path.read_bytes()))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
