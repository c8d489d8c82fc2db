"""A target host: an SSH server that runs real programs for whoever the broker brings."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from .program import CHUNK, Terminal, end_session, start_on_pipes, start_on_terminal

_log = logging.getLogger(__name__)
_ENVIRONMENT = ("LANG", "LC_", "COLORTERM")
"""Beginnings of the variables that a client may set."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a target host is made of: `account` logs in with `key` or `password`."""

    name: str
    account: str
    host_key: Path
    key: str
    """The OpenSSH public key line that is let in; empty when only the password is."""
    password: str
    shell: tuple[str, ...]
    """The interactive shell and its arguments."""
    environment: Mapping[str, str]
    home: Path


class _Door(asyncssh.SSHServer):
    """Who may log in to one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._keys = [asyncssh.import_public_key(machine.key)] if machine.key else []

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return bool(self._keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._machine.account and key in self._keys

    def password_auth_supported(self) -> bool:
        return bool(self._machine.password)

    def validate_password(self, username: str, password: str) -> bool:
        right = hmac.compare_digest(password.encode(), self._machine.password.encode())
        return right and username == self._machine.account


class _Files(asyncssh.SFTPServer):
    """A machine's files for sftp and scp; a path without a root begins in its home."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(channel)
        self._channel = channel
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        return os.path.join(self._home, path)

    def exit(self) -> None:
        # asyncssh says nothing at the end, and scp takes that for a failure.
        self._channel.exit(0)


class Host:
    """One machine that answers; `programs` are those it runs at the moment."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.programs: set[asyncio.subprocess.Process] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def listen(self, sock: socket.socket) -> None:
        """Serve on the listening socket `sock`."""

        async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
            await _serve(self, process)

        self._acceptor = await asyncssh.listen(
            sock=sock,
            server_factory=lambda: _Door(self.machine),
            process_factory=serve,
            sftp_factory=lambda channel: _Files(channel, self.machine.home),
            server_host_keys=[str(self.machine.host_key)],
            encoding=None,
            line_editor=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            config=None,
            keepalive_interval=30,
            login_timeout=20,
        )

    async def close(self) -> None:
        """Let nobody in any more, and end what still runs."""
        if self._acceptor is not None:
            self._acceptor.close()
        await asyncio.gather(*(end_session(program) for program in self.programs))


async def _serve(host: Host, process: asyncssh.SSHServerProcess[bytes]) -> None:
    machine = host.machine
    try:
        if process.subsystem:
            process.stderr.write(f"{machine.name} has no subsystem {process.subsystem}\n".encode())
            process.exit(1)
        elif process.term_type:
            await _serve_terminal(host, process)
        else:
            await _serve_pipes(host, process)
    except (OSError, asyncssh.Error) as error:
        # One client's trouble is that client's: the machine serves the others.
        _log.info("%s: a session ended early: %s", machine.name, error)
        process.close()


def _argv(machine: Machine, command: str | None) -> list[str]:
    if command is None:
        return list(machine.shell)
    return [machine.shell[0], "-c", command]


def _environment(machine: Machine, process: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
    asked = {name: value for name, value in process.env.items() if name.startswith(_ENVIRONMENT)}
    return {**machine.environment, **asked, "TERM": process.term_type or "dumb"}


async def _serve_terminal(host: Host, process: asyncssh.SSHServerProcess[bytes]) -> None:
    machine = host.machine
    columns, rows = process.term_size[:2]
    terminal = Terminal(columns or 80, rows or 24)
    try:
        argv = _argv(machine, process.command)
        program = await start_on_terminal(
            argv, terminal, _environment(machine, process), machine.home
        )
        host.programs.add(program)
        typing = asyncio.ensure_future(_type(process, terminal))
        drawing = asyncio.ensure_future(_draw(process, terminal))
        await _until_over(process, program, drawing)
        typing.cancel()
        drawing.cancel()
        await asyncio.gather(typing, drawing, return_exceptions=True)
    finally:
        terminal.close()
    await _finish(host, process, program)


async def _until_over(
    process: asyncssh.SSHServerProcess[bytes],
    program: asyncio.subprocess.Process,
    output: asyncio.Future[None],
) -> None:
    """Wait for the program and all that it printed, or for the client to be gone."""
    gone = asyncio.ensure_future(process.channel.wait_closed())
    ended = asyncio.ensure_future(program.wait())
    await asyncio.wait({gone, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not gone.done():
        # What a job in the background still prints must not hold the exit status back for ever.
        await asyncio.wait({gone, output}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
    for waiting in (gone, ended):
        waiting.cancel()


async def _type(process: asyncssh.SSHServerProcess[bytes], terminal: Terminal) -> None:
    while True:
        try:
            data = await process.stdin.read(CHUNK)
        except asyncssh.TerminalSizeChanged as change:
            terminal.resize(change.width, change.height)
        except asyncssh.SignalReceived as received:
            number = getattr(signal, f"SIG{received.signal}", None)
            if number is not None:
                terminal.signal_front(number)
        except asyncssh.BreakReceived:
            terminal.signal_front(signal.SIGINT)
        else:
            if not data:
                return
            await terminal.write(data)


async def _draw(process: asyncssh.SSHServerProcess[bytes], terminal: Terminal) -> None:
    while data := await terminal.read():
        process.stdout.write(data)
        await process.stdout.drain()


async def _serve_pipes(host: Host, process: asyncssh.SSHServerProcess[bytes]) -> None:
    machine = host.machine
    argv = _argv(machine, process.command)
    program = await start_on_pipes(argv, _environment(machine, process), machine.home)
    host.programs.add(program)
    assert program.stdout is not None and program.stderr is not None
    feeding = asyncio.ensure_future(_feed(process, program))
    output = asyncio.gather(
        _copy(program.stdout, process.stdout), _copy(program.stderr, process.stderr)
    )
    done: asyncio.Future[None] = asyncio.ensure_future(_both(output))
    await _until_over(process, program, done)
    feeding.cancel()
    done.cancel()
    await asyncio.gather(feeding, done, return_exceptions=True)
    await _finish(host, process, program)


async def _both(output: asyncio.Future[tuple[None, None]]) -> None:
    await output


async def _feed(
    process: asyncssh.SSHServerProcess[bytes], program: asyncio.subprocess.Process
) -> None:
    assert program.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while True:
            try:
                data = await process.stdin.read(CHUNK)
            except asyncssh.SignalReceived as received:
                number = getattr(signal, f"SIG{received.signal}", None)
                if number is not None:
                    program.send_signal(number)
                continue
            if not data:
                break
            program.stdin.write(data)
            await program.stdin.drain()
    program.stdin.close()


async def _copy(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(CHUNK):
        sink.write(data)
        await sink.drain()


async def _finish(
    host: Host, process: asyncssh.SSHServerProcess[bytes], program: asyncio.subprocess.Process
) -> None:
    status = program.returncode
    await end_session(program)
    host.programs.discard(program)
    if status is None:
        process.close()
    elif status < 0:
        process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
    else:
        process.exit(status)
