"""The demo's operators: they come, work for a while through the broker, leave and come back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from . import errands
from .errands import Errand
from .typist import SessionOver, Typist

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """One operator's place: who, where, on what terminal, doing what. No errands: a job."""

    operator: str
    account: str
    size: tuple[int, int]
    errands: Sequence[Errand]
    job: str = ""
    """What a service runs without a terminal, again and again."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the operators connect; `keys` holds each one's private key, named for them."""

    host: str
    port: int
    known_hosts: Path
    keys: Path


def desks(edge_account: str | None) -> list[Desk]:
    """Return everybody who works in the demo; `edge_account` is the real sshd's, if it runs."""
    found = [
        Desk(
            "mira",
            "root@db1",
            (100, 30),
            (errands.edit_configuration, errands.read_log, errands.look_around),
        ),
        Desk("kai", "ci@build1", (120, 36), (errands.build, errands.look_at_a_source)),
        Desk("dev", "deploy@web1", (110, 32), (errands.follow_traffic, errands.look_around)),
        Desk("jon", "root@db1", (80, 24), (errands.watch_processes, errands.look_around)),
        Desk("tom", "root@db1", (90, 28), (errands.help_oneself, errands.look_around)),
        Desk("nightly", "deploy@web1", (0, 0), (), "tar cf - site | sha256sum; sleep 20; date -u"),
    ]
    if edge_account is not None:
        account = f"{edge_account}@edge1"
        found.append(Desk("lena", account, (80, 24), (errands.read_notes, errands.look_around)))
    return found


async def work(desk: Desk, broker: Broker, chance: random.Random) -> None:
    """Work at `desk` until cancelled: whenever a session ends, a new one follows."""
    first = True
    while True:
        try:
            await _visit(desk, broker, chance, first)
        except (OSError, asyncssh.Error, SessionOver) as ended:
            _log.info("%s@%s: %s", desk.operator, desk.account, ended or "the session ended")
        # Who was thrown out comes back, but not at once.
        await asyncio.sleep(chance.uniform(5, 14))
        first = False


async def _visit(desk: Desk, broker: Broker, chance: random.Random, first: bool) -> None:
    connection = await asyncssh.connect(
        broker.host,
        broker.port,
        username=f"{desk.operator}+{desk.account}",
        client_keys=[str(broker.keys / desk.operator)],
        known_hosts=str(broker.known_hosts),
        config=None,
        agent_path=None,
        keepalive_interval=30,
    )
    async with connection:
        if desk.job:
            await connection.run(desk.job, encoding=None, check=False)
            return
        process = await connection.create_process(
            term_type="xterm-256color",
            term_size=desk.size,
            encoding=None,
        )
        typist = Typist(process, chance)
        try:
            await _sit(desk, typist, first)
        finally:
            typist.close()


async def _sit(desk: Desk, typist: Typist, first: bool) -> None:
    """Do errand after errand for some minutes, the desk's own one first, then log out."""
    chosen = list(desk.errands)
    minutes = typist.chance.uniform(4, 12)
    end = asyncio.get_running_loop().time() + minutes * 60
    if not first:
        typist.chance.shuffle(chosen)
    while asyncio.get_running_loop().time() < end:
        for errand in chosen:
            await errand(typist)
            await typist.rest(1, 5)
    await typist.line("exit")
