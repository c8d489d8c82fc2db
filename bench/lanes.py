"""Three ways to the same sshd, each over a connection that stands already.

`direct`, `jump` (`ssh -J` through a plain sshd) and `broker`, with the same cipher. Handshakes are
not measured: every call is a channel of the lane's ControlMaster.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.broker import Broker
from tests.support.openssh import environment
from tests.support.sshd import Sshd

LANES = ("direct", "jump", "broker")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where the lanes lead, and what carries them."""

    broker: Broker
    target: Sshd
    config: Path

    def ssh(self, lane: str, *words: str) -> list[str]:
        """Return the command line of ssh through a lane: options, and the command last."""
        *options, command = words
        return ["ssh", "-F", str(self.config), *options, lane, command]

    def workers(self) -> list[int]:
        """Return the processes of the broker that relay."""
        return [pid for pid, argv in self._processes() if b"psm_console.broker" in argv]

    def cpu_s(self) -> float:
        """Return the processor time of the relaying processes so far."""
        return sum(map(cpu_s, self.workers()))

    def _processes(self) -> Iterator[tuple[int, bytes]]:
        assert self.broker.process is not None
        group = self.broker.process.pid
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and os.getpgid(int(entry.name)) == group:
                    yield int(entry.name), (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it ended meanwhile


@contextmanager
def lanes(*, workers: int = 1, config: str = "") -> Iterator[Lanes]:
    """Start both servers and the broker, and log in by each way."""
    with ExitStack() as stack:
        target = stack.enter_context(Sshd())
        plain = stack.enter_context(Sshd())
        serve = ("--workers", str(workers))
        broker = stack.enter_context(Broker(target, config=config, serve=serve))
        found = Lanes(broker, target, _config(broker, target, plain))
        for lane in LANES:
            _master(found, lane)
            stack.callback(_leave, found, lane)
        yield found


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def _master(found: Lanes, lane: str) -> None:
    argv = ["ssh", "-F", str(found.config), "-fN", "-o", "ControlMaster=yes", lane]
    subprocess.run(argv, check=True, env=environment(), stdin=subprocess.DEVNULL)


def _leave(found: Lanes, lane: str) -> None:
    argv = ["ssh", "-F", str(found.config), "-O", "exit", lane]
    subprocess.run(argv, env=environment(), capture_output=True)


def _config(broker: Broker, target: Sshd, plain: Sshd) -> Path:
    """Write a client's configuration."""
    hosts = broker.folder / "bench_known_hosts"
    lines = [f"[127.0.0.1]:{broker.port} {broker.host_key_line}"]
    lines += [f"[127.0.0.1]:{server.port} {server.host_key_line}" for server in (target, plain)]
    hosts.write_text("\n".join([*lines, ""]))
    path = broker.folder / "bench_config"
    path.write_text(
        f"""Host broker
    Port {broker.port}
    User {broker.login}
    IdentityFile {broker.operator_key}
Host direct jump
    Port {target.port}
    User {target.user}
    IdentityFile {target.client_key}
Host plain
    Port {plain.port}
    User {plain.user}
    IdentityFile {plain.client_key}
Host jump
    ProxyJump plain
Host *
    HostName 127.0.0.1
    IdentitiesOnly yes
    BatchMode yes
    LogLevel ERROR
    UserKnownHostsFile {hosts}
    GlobalKnownHostsFile /dev/null
    UpdateHostKeys no
    ControlPath {broker.folder}/%n
    Ciphers aes128-gcm@openssh.com
"""
    )
    return path
