"""The demo's targets run real programs and leave none behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from psm_console.demo.host import Host, Machine
from psm_console.demo.program import Terminal
from tests.support.openssh import OpenSsh
from tests.support.sshd import write_key
from tests.support.terminal import PtyProcess
from tests.support.tools import need
from tests.support.waiting import eventually


@asynccontextmanager
async def _host(folder: Path) -> AsyncIterator[OpenSsh]:
    sock = socket.create_server(("127.0.0.1", 0))
    host_key = write_key(folder / "host_key")
    with OpenSsh("127.0.0.1", sock.getsockname()[1], host_key) as client:
        machine = Machine(
            name="db1",
            account="root",
            host_key=folder / "host_key",
            key=client.public_line,
            password="",
            shell=("/bin/sh", "-i"),
            environment={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PS1": "db1$ "},
            home=folder,
        )
        host = Host(machine)
        await host.listen(sock)
        try:
            yield client
        finally:
            await host.close()


def _running(marker: str) -> bool:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    return any(line.startswith(marker) for line in listing.splitlines())


async def test_a_command_gives_its_streams_and_its_status(tmp_path: Path) -> None:
    async with _host(tmp_path) as client:
        done = await asyncio.to_thread(
            client.run, "root", "cat; echo err >&2; exit 3", stdin=b"\x00\xffin"
        )

        assert (done.stdout, done.stderr, done.returncode) == (b"\x00\xffin", b"err\n", 3)


async def test_files_are_carried_to_and_from_the_machines_home(tmp_path: Path) -> None:
    need("scp")
    home, sent, fetched = tmp_path / "home", tmp_path / "sent", tmp_path / "fetched"
    home.mkdir()
    sent.write_bytes(bytes(range(256)) * 1000)
    async with _host(home) as client:
        ssh = ["-P" if part == "-p" else part for part in client.argv("root")[1:-3]]
        for one, other in ((str(sent), "root@127.0.0.1:here"), ("root@127.0.0.1:here", fetched)):
            done = await asyncio.to_thread(
                subprocess.run, ["scp", *ssh, one, other], capture_output=True, timeout=30
            )
            assert done.returncode == 0, done.stderr

    assert (home / "here").read_bytes() == fetched.read_bytes() == sent.read_bytes()


async def test_a_killed_command_gives_its_signal(tmp_path: Path) -> None:
    async with _host(tmp_path) as client:
        done = await asyncio.to_thread(client.run, "root", "kill -TERM $$")

        assert done.returncode in {255, 128 + signal.SIGTERM}


async def test_a_shell_has_a_real_terminal_of_the_clients_size(tmp_path: Path) -> None:
    def visit(terminal: PtyProcess) -> int:
        with terminal:
            terminal.wait_for("db1$ ")
            terminal.type("stty size; ls -l /proc/self/fd/0\r")
            terminal.wait_for("33 101")
            terminal.wait_for("/dev/pts/")
            terminal.resize(72, 20)
            terminal.type("until stty size | grep '20 72'; do sleep 0.02; done; echo re'sized'\r")
            terminal.wait_for("resized")
            # Said by the program in front: a ^C before bash has put it there would be lost.
            terminal.type("sh -c \"echo go''ing; exec sleep 70\"\r")
            terminal.wait_for("going")
            terminal.type("\x03")
            terminal.wait_for("db1$ ", after=terminal.output.rfind(b"going"))
            terminal.type("exit 5\r")
            return terminal.wait_exit()

    async with _host(tmp_path) as client:
        terminal = client.terminal("root", columns=101, rows=33)
        assert await asyncio.to_thread(visit, terminal) == 5


async def test_a_client_that_vanishes_leaves_no_program_behind(tmp_path: Path) -> None:
    async with _host(tmp_path) as client:
        terminal = client.terminal("root")
        with terminal:
            await asyncio.to_thread(terminal.wait_for, "db1$ ")
            terminal.type("sleep 7171 & trap '' HUP; sleep 7172\r")
            await eventually(lambda: _running("sleep 7172"), what="the job to run")

            terminal.process.kill()

            await eventually(
                lambda: not _running("sleep 7171") and not _running("sleep 7172"),
                what="the programs to be gone",
            )


async def test_a_foreign_key_is_refused(tmp_path: Path) -> None:
    async with _host(tmp_path) as client:
        write_key(tmp_path / "other")
        client.use_key(tmp_path / "other")
        done = await asyncio.to_thread(client.run, "root", "true")

        assert done.returncode == 255
        assert b"Permission denied" in done.stderr


def test_a_signal_for_a_terminal_whose_program_is_gone_reaches_nobody() -> None:
    terminal = Terminal(80, 24)
    terminal.release()

    # With nobody in front, the kernel says group 0, which to killpg is the caller's own.
    terminal.signal_front(signal.SIGKILL)

    terminal.close()
