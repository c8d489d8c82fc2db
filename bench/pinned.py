"""A home with one worker and nothing beside it: no supervisor, no inspector; and who fills it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psm_console.broker.entry.tally import allot
from psm_console.broker.service.listening import bind
from tests.support.broker import Broker
from tests.support.sshd import write_key

from .crowding import Child, be_operators, be_target
from .door import CROWDED, Door

_ROW = "1"


class PinnedBroker(Broker):
    """One worker, pinned to `core`, that writes its lag to the file `lags`."""

    def __init__(self, core: int) -> None:
        super().__init__(config=CROWDED)
        self._core = core

    @property
    def lags(self) -> Path:
        return self.folder / "lags"

    @property
    def worker(self) -> int:
        """The worker's process."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        tally = allot()
        self._leash, theirs = socket.socketpair()
        with bind(f"{self.host}:0") as listening, theirs, self.log.open("ab") as log:
            self.port = listening.getsockname()[1]
            shared = (listening.fileno(), theirs.fileno(), tally)
            names = ("--listening", "--leash", "--tally")
            given = [word for pair in zip(names, map(str, shared), strict=True) for word in pair]
            command = [sys.executable, "-m", "bench.probed_worker", str(self._core)]
            self.process = subprocess.Popen(
                [*command, str(self.lags), "--home", str(self.home), "--row", _ROW, *given],
                pass_fds=shared,
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        os.close(tally)
        assert self._leash.recv(16) == b"ready\n", self.log.read_text()

    def stop(self, number: int = signal.SIGTERM, within_s: float = 30.0) -> int | None:
        status = super().stop(number, within_s)
        self._leash.close()
        return status


@dataclass(frozen=True, slots=True)
class Pinned:
    """A worker, the target behind it, and the operators before it."""

    broker: PinnedBroker
    target: Child
    operators: Child


@contextmanager
def pinned() -> Iterator[Pinned]:
    """Give the worker the first core that we may use, and the rest of them to everybody else."""
    first, *rest = sorted(os.sched_getaffinity(0))
    others = rest or [first]
    with ExitStack() as stack:
        broker = stack.enter_context(PinnedBroker(first))
        os.sched_setaffinity(0, others)
        host, key = broker.folder / "host", broker.folder / "target-key"
        host_line = write_key(host)
        write_key(key)
        target = Child(be_target, str(host), str(key), cores=others)
        stack.enter_context(closing(target))
        broker.apply(_inventory(broker, host_line, target.ask("port"), key))
        door = Door(broker.host, broker.port, "ana+root@crowd", str(broker.operator_key))
        operators = Child(be_operators, door, cores=others)
        stack.enter_context(closing(operators))
        yield Pinned(broker, target, operators)


def _inventory(broker: Broker, host_line: str, port: int, key: Path) -> str:
    return (
        f"[identities.ana]\nroles = ['operator']\nkeys = ['{broker.operator_line}']\n"
        f"[targets.crowd]\naddress = '127.0.0.1:{port}'\nhost_keys = ['{host_line}']\n"
        f"[targets.crowd.accounts.root]\ncredential = {{ key_file = '{key}' }}\n"
        "[[grants]]\noperator = 'ana'\naccount = 'root@crowd'\n"
    )
