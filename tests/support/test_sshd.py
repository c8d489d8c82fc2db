"""The support that other tests stand on works by itself."""

from __future__ import annotations

import subprocess

from .openssh import OpenSsh
from .sshd import Sshd
from .terminal import PtyProcess


def test_a_plain_ssh_client_logs_in_to_the_servers_of_the_tests() -> None:
    with Sshd() as target, OpenSsh(target.host, target.port, target.host_key_line) as client:
        client.use_key(target.client_key)

        done = client.run(target.user, "echo out; echo err >&2; exit 3")

        assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 3)


def test_a_terminal_client_shows_what_the_program_drew() -> None:
    with Sshd() as target, OpenSsh(target.host, target.port, target.host_key_line) as client:
        client.use_key(target.client_key)
        with client.terminal(target.user, "cat", columns=60, rows=10) as terminal:
            terminal.type("hello\r")
            terminal.wait_for("hello\r\nhello")
            terminal.type("\x04")

            assert terminal.wait_exit() == 0


def test_connections_share_one_master() -> None:
    with Sshd() as target, OpenSsh(target.host, target.port, target.host_key_line) as client:
        client.use_key(target.client_key)
        with client.master(target.user) as through:
            first = client.run(target.user, "echo $SSH_CONNECTION", options=through)
            second = client.run(target.user, "echo $SSH_CONNECTION", options=through)

        assert first.returncode == 0
        assert first.stdout == second.stdout
        assert isinstance(first, subprocess.CompletedProcess)


def test_a_program_learns_the_new_size_of_its_terminal() -> None:
    with PtyProcess(["/bin/sh", "-c", "trap 'stty size' WINCH; echo up; cat"]) as terminal:
        terminal.wait_for("up")
        terminal.resize(101, 33)
        terminal.type("\x04")

        terminal.wait_for("33 101")
