"""A real OpenSSH server on a loopback port, with keys of its own, as root or as anybody."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import asyncssh

from psm_console.demo.children import descendants

from .tools import find_tool, need
from .waiting import eventually_sync

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PermitUserEnvironment no
PrintMotd no
PrintLastLog no
AcceptEnv LANG LC_* COLORTERM
# No file of the user's that a shell reads as it starts: it may do anything, for a minute even.
# bash takes SHLVL for a sign that sshd did not start it.
SetEnv HISTFILE=/dev/null SHLVL=1 HOME={folder}/home
MaxSessions 200
MaxStartups 200
LogLevel VERBOSE
Subsystem sftp internal-sftp
"""


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_key(path: Path, comment: str = "test") -> str:
    """Write a new Ed25519 private key (0600) and its `.pub`; return the public line."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    line = key.export_public_key().decode().strip()
    path.with_name(path.name + ".pub").write_text(line + "\n")
    return line


class Sshd:
    """`with Sshd() as target:` runs one; `user` may log in with the key at `client_key`.

    `host_key_line` is the server's public key as an inventory spells it, `log` its log file.
    `extra` are further lines of sshd_config.
    """

    def __init__(self, extra: Sequence[str] = ()) -> None:
        need("sshd")
        self._extra = extra
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.host = "127.0.0.1"
        self.port = 0
        self.host_key_line = ""
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        self.folder = Path(tempfile.mkdtemp(prefix="psm-sshd-"))
        (self.folder / "home").mkdir()
        self.client_key = self.folder / "client_key"
        self.log = self.folder / "sshd.log"
        self.host_key_line = write_key(self.folder / "host_key", "host")
        line = write_key(self.client_key, "client")
        (self.folder / "authorized_keys").write_text(line + "\n")
        if os.getuid() == 0:
            # Where root's sshd parks its unprivileged half.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.start()
        return self

    def start(self) -> None:
        """Listen on a free port; called again after `stop` it comes back on the same one."""
        for _ in range(5):
            port = self.port or free_port()
            if self._try(port):
                self.port = port
                return
        raise AssertionError(f"sshd does not start: {self.log.read_text()}")

    def _try(self, port: int) -> bool:
        config = self.folder / "sshd_config"
        lines = [_CONFIG.format(port=port, folder=self.folder), *self._extra, ""]
        config.write_text("\n".join(lines))
        program = find_tool("sshd")
        assert program is not None
        process = subprocess.Popen(
            [program, "-D", "-f", str(config), "-E", str(self.log)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.process = process
        eventually_sync(lambda: process.poll() is not None or _answers(port), what="sshd to listen")
        return process.poll() is None

    def stop(self) -> None:
        """End the server and every connection that it still serves."""
        if self.process is None:
            return
        for pid in descendants(self.process.pid):
            _signal(pid, signal.SIGKILL)
        _signal(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside the block none of the server's connections reads, writes or answers."""
        assert self.process is not None
        servers = [pid for pid in descendants(self.process.pid) if b"sshd" in _command_line(pid)]
        for pid in servers:
            _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in servers:
                _signal(pid, signal.SIGCONT)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may end at any moment."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
