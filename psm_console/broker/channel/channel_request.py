"""What a client asked of a channel before it started: terminal, environment, command."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import cast

import asyncssh

from psm_console.domain.forwards import ForwardAsked
from psm_console.domain.session import Size

from ..ssh import algorithms
from ..ssh.slimming import slim_channel

_TERM = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_VALUE_LIMIT = 1024
_VARIABLES = 64
"""Passed on for a channel at most."""


class _Command(bytes):
    """A command as its bytes. asyncssh takes one that is false for none, and opens a shell."""

    def __bool__(self) -> bool:
        return True


@dataclass(slots=True)
class ChannelRequest:
    """Collected from the client's requests, in whatever order they come."""

    size: Size | None = None
    term: str = ""
    modes: dict[int, int] = field(default_factory=dict)
    command: str | None = None
    """Bytes that are not UTF-8 stand in it as lone surrogates (PEP 383)."""
    subsystem: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    started: bool = False
    forward: ForwardAsked | None = None
    """Where to, when it is no session channel."""

    def take_pty(
        self, term: str, size: tuple[int, int, int, int], modes: Mapping[int, int]
    ) -> bool:
        """Note the terminal; False once the program was asked for, as it is too late then.

        TERM comes raw from the client: what is no name becomes `xterm`.
        """
        if self.started:
            return False
        self.term = term if _TERM.fullmatch(term) else "xterm"
        self.size = Size.clamped(size[0] or 80, size[1] or 24)
        self.modes = dict(modes)
        return True

    def take_start(self, command: str | None, environment: dict[str, str]) -> None:
        """Note what is to run (None: a shell) and the variables the client wants set."""
        self.command = command
        self.environment = environment
        self.started = True

    def take_forward(self, asked: ForwardAsked) -> None:
        """Note where to. It stands where a command does, as what the channel is for."""
        self.forward = asked
        self.command = str(asked.destination)
        self.started = True

    def take_subsystem(self, subsystem: str) -> None:
        """Note the subsystem. A terminal would garble its packets, so there is none."""
        self.subsystem = subsystem
        self.size = None

    async def open_on(
        self,
        connection: asyncssh.SSHClientConnection,
        factory: Callable[[], asyncssh.SSHClientSession[bytes]],
        allowed: tuple[str, ...],
    ) -> None:
        """Ask the same of the target, with the variables whose names `allowed` lets by."""
        size, command = self.size, self.command
        channel, _ = await connection.create_session(
            factory,
            # Bytes pass through asyncssh as they are.
            command=command
            if command is None
            else cast(str, _Command(command.encode("utf-8", "surrogateescape"))),
            subsystem=self.subsystem,
            request_pty=size is not None and "force",
            term_type=self.term,
            term_size=(size.columns, size.rows) if size is not None else (0, 0),
            term_modes=self.modes,
            env=dict[str | bytes, str | bytes](self.passed_on(allowed).items()),
            send_env=None,
            encoding=None,
            window=algorithms.WINDOW,
        )
        slim_channel(channel)

    def passed_on(self, allowed: tuple[str, ...]) -> dict[str, str]:
        """Return the variables that the target is given."""
        passed = (
            (name, value)
            for name, value in self.environment.items()
            if _NAME.fullmatch(name)
            and any(fnmatchcase(name, pattern) for pattern in allowed)
            and len(value) <= _VALUE_LIMIT
            and value.isprintable()
        )
        return dict(islice(passed, _VARIABLES))
