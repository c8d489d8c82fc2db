"""What a jump through the broker costs: `python -m bench.jump [MEGABYTES]`.

Bulk net of the handshakes, the echo of one byte, and the broker's memory while a client stands
still in front of a flood; beside it ssh directly, `ssh -J` through a plain sshd, and the broker's
own login.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.broker import Broker
from tests.support.openssh import environment
from tests.support.sshd import Sshd

_ROUNDS = 3
_ECHOES = 500
_FLOOD_S = 6.0


def main() -> None:
    """Print a line a way."""
    size = int(sys.argv[1]) << 20 if len(sys.argv) > 1 else 600 << 20
    with ExitStack() as stack:
        target = stack.enter_context(Sshd())
        plain = stack.enter_context(Sshd())
        broker = stack.enter_context(Broker(target, config="[recording]\nquota_bytes = 1048576\n"))
        config = _config(broker, target, plain)
        ways = {
            "direct": "direct",
            "ssh -J through a plain sshd": "plainly",
            "the broker's own login": "login",
            "ssh -J through the broker": "db1",
        }
        for what, host in ways.items():
            ssh = ["ssh", "-F", str(config), host]
            speed, echo = _bulk(ssh, size), _echo(ssh)
            shown = f"{speed / 1e6:6.0f} MB/s   echo p50 {echo[0]:.2f} ms  p99 {echo[1]:.2f} ms"
            print(f"{what:32}{shown}", flush=True)
        print(f"memory: {_memory(broker, ['ssh', '-F', str(config), 'db1'])}")


def _config(broker: Broker, target: Sshd, plain: Sshd) -> Path:
    """Write a client's configuration: the stanza that we print, and the ways beside it."""
    port = str(broker.port)
    where = ["--host", "127.0.0.1", "--port", port, "--user", "ana"]
    stanza = broker.psm("ssh-config", *where).stdout
    known = broker.psm("ssh-config", *where, "--known-hosts").stdout
    for server in (target, plain):
        known += f"[127.0.0.1]:{server.port} {server.host_key_line}\n"
    hosts = broker.folder / "known_hosts"
    hosts.write_text(known)
    config = broker.folder / "ssh_config"
    config.write_text(
        f"""{stanza}
Host db1
    User {target.user}
Host login
    HostName 127.0.0.1
    Port {port}
    User {broker.login}
Host direct plainly
    HostName 127.0.0.1
    Port {target.port}
    User {target.user}
    IdentityFile {target.client_key}
Host plain
    HostName 127.0.0.1
    Port {plain.port}
    User {plain.user}
    IdentityFile {plain.client_key}
Host plainly
    ProxyJump plain
Host *
    IdentityFile {broker.operator_key}
    IdentitiesOnly yes
    BatchMode yes
    LogLevel ERROR
    UserKnownHostsFile {hosts}
    GlobalKnownHostsFile /dev/null
    UpdateHostKeys no
    Ciphers aes128-gcm@openssh.com
"""
    )
    return config


def _bulk(ssh: list[str], size: int) -> float:
    """Return bytes a second, the time of an empty run taken off."""
    empty = min(_timed(ssh, 0) for _ in range(_ROUNDS))
    full = min(_timed(ssh, size) for _ in range(_ROUNDS))
    return size / max(full - empty, 1e-3)


def _timed(ssh: list[str], size: int) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [*ssh, f"head -c {size} /dev/zero"], stdout=subprocess.PIPE, check=True, env=environment()
    )
    assert len(done.stdout) == size
    return time.perf_counter() - began


def _echo(ssh: list[str]) -> tuple[float, float]:
    """Return p50 and p99 of a byte's way there and back, in milliseconds."""
    with _running([*ssh, "cat"]) as process:
        assert process.stdin and process.stdout
        taken = []
        for _ in range(_ECHOES):
            began = time.perf_counter()
            process.stdin.write(b"x")
            process.stdin.flush()
            assert process.stdout.read(1) == b"x"
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def _memory(broker: Broker, ssh: list[str]) -> str:
    """Say what the broker's processes hold before and while a stopped client faces a flood."""
    before = _resident(broker)
    with _running([*ssh, "cat /dev/zero"]) as process:
        assert process.stdout and process.stdout.read(1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        stopped = [process.pid, *map(int, children)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(_FLOOD_S)
        during = _resident(broker)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    return f"{before} MiB before, {during} MiB with a stopped client under a flood"


def _resident(broker: Broker) -> int:
    """Return the resident MiB of all processes of the broker."""
    assert broker.process is not None
    group = os.getpgid(broker.process.pid)
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and os.getpgid(int(entry.name)) == group:
                status = (entry / "status").read_text()
                total += int(status.split("VmRSS:")[1].split()[0])
        except (OSError, IndexError):
            continue
    return total >> 10


@contextmanager
def _running(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), bufsize=0
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()
