"""The demo's second kind of target: a real OpenSSH server, where one is installed."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from psm_console.domain.names import is_name

from . import sandbox

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
PidFile none
AuthorizedKeysFile {authorized_keys}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
AcceptEnv LANG LC_* COLORTERM
AllowTcpForwarding no
AllowAgentForwarding no
X11Forwarding no
# bash takes it for a sign that sshd did not start it, and does not read the user's ~/.bashrc.
SetEnv SHLVL=1
ForceCommand /bin/sh {enter}
{sftp}
"""
_SFTP = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
)
"""Where distributions keep it; the one inside sshd would not begin in the demo's home."""
# Whoever logs in finds the demo's home, not the one of the machine's user.
_ENTER = """\
cd "{home}" || exit 1
set -- env -i {environment} TERM="${{TERM:-dumb}}"
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then
    exec "$@" /bin/sh -c "$SSH_ORIGINAL_COMMAND"
fi
exec "$@" {shell}
"""


def program() -> str | None:
    """Return where sshd is, or None when this machine has none that could be used here."""
    found = shutil.which("sshd") or shutil.which("sshd", path=sandbox.PATH)
    return found if account() is not None else None


def account() -> str | None:
    """Return the login on the edge host: whoever runs the demo, if we can write that name."""
    try:
        name = getpass.getuser()
        shell = pwd.getpwnam(name).pw_shell
    except (KeyError, OSError):
        return None
    usable = is_name(name) and os.access(shell, os.X_OK) and "nologin" not in shell
    return name if usable else None


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, port: int, host_key: Path, client_key: str) -> subprocess.Popen[bytes]:
    """Start sshd on loopback `port`; its files and its users' home lie in `folder`."""
    home = folder / "edge1"
    login = account() or "edge"
    sandbox.furnish("edge1", login, home)
    authorized = folder / "edge1_authorized_keys"
    authorized.write_text(client_key + "\n")
    enter = folder / "edge1_enter"
    pairs = " ".join(f"'{name}={value}'" for name, value in sandbox.environment(home).items())
    shell = " ".join(f"'{part}'" for part in sandbox.shell(home))
    enter.write_text(_ENTER.format(home=home, environment=pairs, shell=shell))
    config = folder / "edge1_sshd_config"
    server = next((path for path in _SFTP if os.access(path, os.X_OK)), None)
    config.write_text(
        _CONFIG.format(
            port=port,
            host_key=host_key,
            authorized_keys=authorized,
            enter=enter,
            sftp="" if server is None else f"Subsystem sftp {server}",
        )
    )
    if os.getuid() == 0:
        # Where root's sshd parks its unprivileged half.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = program()
    assert sshd is not None
    # Should this process be killed outright, its sshd ends too.
    keeper = shutil.which("setpriv", path=sandbox.PATH)
    prefix = [keeper, "--pdeathsig", "TERM"] if keeper else []
    return subprocess.Popen(
        [*prefix, sshd, "-D", "-f", str(config), "-E", str(folder / "edge1_sshd.log")],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server; who is still logged in loses the connection with the broker's end."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
