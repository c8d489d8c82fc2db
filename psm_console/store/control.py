"""The workers' control sockets: the second way to a live session, when the store is away.

A worker listens on `run/<worker>.control`, a stream socket: a line of JSON in, a line of JSON out.
Whoever may use it is the home's owner: the socket is 0600 in a closed directory, the kernel says
whose process is at the other end, and it must know what is in `keys/control`. That file is what
tells a person at the home from a program of ours that serves a visitor and sees no key.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from psm_console.domain.names import WorkerId
from psm_console.domain.session import Directive, Verb
from psm_console.domain.text import visible

from .addresses import socket_address
from .errors import StoreError
from .home import Home
from .values import from_json, to_json

Shape = TypeVar("Shape")

LONGEST_LINE = 1 << 16
"""Bytes of a question or an answer."""
_SUFFIX = ".control"
_PASSWORD_BYTES = 32
_CREDENTIALS = struct.Struct("3i")
"""Process, user and group of the peer; SO_PEERCRED in unix(7)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a worker: to obey, or where `verb` is None, which sessions are meant."""

    password: str
    session: str
    """An id, or where nothing is ordered, the beginning of one."""
    verb: Verb | None = None
    actor: str = ""
    reason: str = ""
    patience_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says."""

    matches: tuple[str, ...] = ()
    """The live sessions of the worker that were meant."""
    directive: Directive | None = None
    """What became of the order."""
    refusal: str = ""
    """Why nothing was done."""


def control_password(home: Home) -> str:
    """Return what is in `keys/control`, made first if there is none; StoreError says why not."""
    path = home.keys / "control"
    try:
        if not path.exists():
            _make_password(path)
        password = path.read_text().strip()
    except (OSError, ValueError) as error:
        raise StoreError(f"{visible(str(path), 200)} can not be read: {error}") from None
    if len(password) != 2 * _PASSWORD_BYTES:
        # An empty file would let everybody in who says nothing.
        raise StoreError(f"{visible(str(path), 200)} is damaged; remove it, and restart the broker")
    return password


def _make_password(path: Path) -> None:
    """Put the file there whole or not at all: workers that start together read the same."""
    draft = path.with_name(f"control-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_PASSWORD_BYTES))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def listen_for_control(home: Home, worker: WorkerId) -> socket.socket:
    """Return the listening socket of `worker`; raises OSError where run/ can not be written.

    It gets its name when it listens: one that refuses a connection belongs to a dead worker.
    """
    path = home.run / f"{worker}{_SUFFIX}"
    draft = path.with_suffix(".binding")
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        draft.unlink(missing_ok=True)
        with socket_address(str(home.run), draft.name) as address:
            bound.bind(address)
        draft.chmod(0o600)
        bound.listen(16)
        bound.setblocking(False)
        draft.rename(path)
    except BaseException:
        bound.close()
        raise
    return bound


def forget_control(home: Home, worker: WorkerId) -> None:
    """Remove the socket of a worker that ends."""
    with contextlib.suppress(OSError):
        (home.run / f"{worker}{_SUFFIX}").unlink()


def control_sockets(home: Home) -> list[Path]:
    """Return the control sockets in a home, those of dead workers among them."""
    try:
        return sorted(path for path in home.run.iterdir() if path.name.endswith(_SUFFIX))
    except OSError as error:
        raise StoreError(f"{visible(str(home.run), 200)} can not be read: {error}") from None


def ask(home: Home, path: Path, question: Question, timeout_s: float) -> Answer | None:
    """Put `question` to the worker at `path`; None when nobody is there. Blocks.

    Raises TimeoutError when a worker is there and does not answer in time.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as wire:
        wire.settimeout(timeout_s)
        try:
            with socket_address(str(home.run), path.name) as address:
                wire.connect(address)
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                path.unlink()  # a corpse
            return None
        except (FileNotFoundError, PermissionError):
            return None
        if peer_of(wire)[1] != os.geteuid():
            return None
        try:
            wire.sendall(to_json(question).encode() + b"\n")
            with wire.makefile("rb") as lines:
                return decoded(lines.readline(LONGEST_LINE), Answer)
        except (ConnectionError, ValueError):
            return None


def peer_of(wire: socket.socket) -> tuple[int, int]:
    """Return the process and the user at the other end, as the kernel knows them."""
    found = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(found)
    return process, user


def decoded(line: bytes, shape: type[Shape]) -> Shape:
    """Return what a line says, or raise ValueError."""
    try:
        return from_json(line.decode(), shape)
    except msgspec.MsgspecError as error:
        raise ValueError(visible(str(error), 200)) from error
