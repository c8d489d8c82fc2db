"""A program that works on a server with paramiko, and prints what it came to as JSON.

    python paramiko_client.py HOST PORT USER KEY KNOWN_HOSTS FILES FOLDER

A program of its own, as a script of a user would be: paramiko's threads and warnings stay there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import paramiko


def main(host: str, port: str, user: str, key: str, hosts: str, files: str, folder: str) -> None:
    client = paramiko.SSHClient()
    client.load_host_keys(hosts)
    client.connect(
        host,
        int(port),
        user,
        key_filename=key,
        allow_agent=False,
        look_for_keys=False,
        banner_timeout=60,
        auth_timeout=60,
    )
    noise = (Path(files) / "noise.bin").read_bytes()
    seen = {
        "commands": [_command(client, end, noise) for end in ("exit 0", "exit 3", "exit 255")],
        "signal": _command(client, "kill -TERM $$", b""),
        "shell": _shell(client),
        "sftp": _sftp(client, noise, folder),
    }
    client.close()
    print(json.dumps(seen))


def _command(client: paramiko.SSHClient, end: str, given: bytes) -> list[object]:
    stdin, stdout, stderr = client.exec_command(f"cat; echo done >&2; {end}", timeout=60)
    stdin.write(given)
    stdin.channel.shutdown_write()
    out, err = stdout.read(), stderr.read()
    return [stdout.channel.recv_exit_status(), len(out), _sha(out), err.decode()]


def _shell(client: paramiko.SSHClient) -> list[object]:
    channel = client.invoke_shell("vt100", 91, 31)
    channel.settimeout(60)
    channel.sendall(b"exec sh -c 'stty size; read x; echo \"<$x>\"; exit 3'\n")
    channel.sendall(b"typed\n")
    out = b""
    while part := channel.recv(65536):
        out += part
    return [channel.recv_exit_status(), b"31 91" in out, b"<typed>" in out]


def _sftp(client: paramiko.SSHClient, noise: bytes, folder: str) -> list[object]:
    sftp = client.open_sftp()
    there = f"{folder}/there"
    with sftp.open(there, "wb") as file:
        file.set_pipelined(True)
        file.write(noise)
    size = sftp.stat(there).st_size
    sftp.rename(there, f"{there}-2")
    sftp.chmod(f"{there}-2", 0o640)
    sftp.symlink(f"{there}-2", f"{there}-link")
    with sftp.open(f"{there}-link", "rb") as file:
        file.prefetch()
        back = file.read()
    try:
        sftp.stat("/none/such")
        missing = "there"
    except FileNotFoundError:
        missing = "not there"
    listed = sorted(name for name in sftp.listdir(folder) if name.startswith("there"))
    return [size, _sha(back), missing, listed]


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
