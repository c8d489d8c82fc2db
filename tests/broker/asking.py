"""Clients that are asked something: ssh in a terminal, and one that answers from a list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncssh
import pyotp

from psm_console.domain.inventory import Identity, Inventory
from psm_console.domain.second_step import Step
from tests.support.terminal import PtyProcess

from .stand import Stand

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(off_s: float = 0.0, secret: str = SECRET) -> str:
    """Return the one-time code of now, or of some seconds away."""
    import time

    return pyotp.TOTP(secret).at(int(time.time() + off_s))


def secret_file(folder: Path, secret: str = SECRET) -> str:
    """Write a secret where only its owner reads it; return the file."""
    path = folder / "ana.totp"
    path.touch(mode=0o600)
    path.write_text(secret + "\n")
    return str(path)


def asked(stand: Stand, folder: Path, *steps: Step, **changes: object) -> Inventory:
    """Return the inventory in which ana is asked for `steps`."""
    inventory = stand.inventory()
    ana: Identity = inventory.identities["ana"]
    ana = dataclasses.replace(
        ana,
        second_step=steps,
        totp=secret_file(folder),
        **changes,  # type: ignore[arg-type]
    )
    return dataclasses.replace(inventory, identities=inventory.identities | {"ana": ana})


def terminal(stand: Stand, command: str = "echo in", user: str = "") -> PtyProcess:
    """Start ssh in a terminal, where it can ask."""
    options = ["-o", "BatchMode=no"]
    return stand.client.terminal(user or stand.user, command, options=options)


class Answering(asyncssh.SSHClient):
    """Answers each challenge with what `answer` makes of its prompts; `seen` is what was said."""

    def __init__(self, answer: Callable[[Sequence[str]], Sequence[str] | None]) -> None:
        self._answer = answer
        self.seen: list[str] = []

    def auth_banner_received(self, msg: str, lang: str) -> None:
        self.seen.append(msg)

    def kbdint_auth_requested(self) -> str:
        return ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> Sequence[str] | None:
        self.seen.append(instructions)
        return self._answer([prompt for prompt, _ in prompts])


async def connect(
    stand: Stand,
    client: Answering,
    *,
    user: str = "",
    key: Path | None = None,
) -> asyncssh.SSHClientConnection:
    """Log in with `key` (ana's) and the client's answers."""
    return await asyncssh.connect(
        "127.0.0.1",
        stand.client.port,
        username=user or stand.user,
        client_keys=[str(key or stand.client.key)],
        client_factory=lambda: client,
        known_hosts=None,
        config=None,
        agent_path=None,
    )


def forgive(stand: Stand) -> None:
    """Have the broker forget the failed logins of earlier tests, which would slow this one."""
    slow = stand.broker.running.worker.slowdown
    for buckets in (slow._sources, slow._names, slow._wrong):
        stand.broker.ask(buckets._levels.clear)
