"""A whole broker as users run it: `psm serve` in a process of its own, on a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .openssh import OpenSsh
from .sshd import Sshd, write_key
from .waiting import eventually_sync


@dataclass
class InventoryText:
    """Writes an inventory.toml piece by piece."""

    blocks: list[str] = field(default_factory=list)

    def identity(self, name: str, key: str, roles: Sequence[str] = ("operator",)) -> None:
        """Add an identity with one public key line."""
        quoted = ", ".join(f'"{role}"' for role in roles)
        self.blocks.append(f"[identities.{name}]\nroles = [{quoted}]\nkeys = ['{key}']\n")

    def target(self, name: str, target: Sshd, account: str | None = None) -> None:
        """Add a real sshd as a target, with the account that may log in there."""
        self.blocks.append(
            f'[targets.{name}]\naddress = "{target.host}:{target.port}"\n'
            f"host_keys = ['{target.host_key_line}']\n"
            f"[targets.{name}.accounts.{account or target.user}]\n"
            f'credential = {{ key_file = "{target.client_key}" }}\n'
        )

    def grant(self, operator: str, account: str) -> None:
        """Add a standing right to `account`, written account@target."""
        self.blocks.append(f'[[grants]]\noperator = "{operator}"\naccount = "{account}"\n')

    def text(self) -> str:
        return "\n".join(self.blocks)


class Broker:
    """`with Broker() as broker:` one that runs; `home` is its home, `psm` runs our command line.

    `config` is the text of config.toml, `serve` are options of `psm serve`. With `target`, the
    inventory has it as `db1`, and `ana` holds a grant for its account: `broker.client` is her ssh,
    `broker.login` her user name.
    """

    def __init__(
        self,
        target: Sshd | None = None,
        *,
        config: str = "",
        inventory: str = "",
        serve: Sequence[str] = ("--workers", "1"),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.target = target
        self._config = config
        self._inventory = inventory
        self._serve = tuple(serve)
        self._env = dict(env or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.host = "127.0.0.1"
        self.port = 0

    def __enter__(self) -> Self:
        # Short: bells are sockets below it.
        self.folder = Path(tempfile.mkdtemp(prefix="psm-"))
        self.home = self.folder / "home"
        self.log = self.folder / "broker.log"
        self.operator_key = self.folder / "ana"
        self.operator_line = write_key(self.operator_key, "ana")
        try:
            self.psm("init")
            if self._config:
                (self.home / "config.toml").write_text(self._config)
            self.apply(self._text())
            self.start()
        except BaseException:
            self._tidy()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tidy()

    def _tidy(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _text(self) -> str:
        written = InventoryText()
        if self.target is not None:
            written.identity("ana", self.operator_line)
            written.target("db1", self.target)
            written.grant("ana", f"{self.target.user}@db1")
        return f"{written.text()}\n{self._inventory}"

    @property
    def login(self) -> str:
        """The ssh user name of the operator `ana` on the target."""
        assert self.target is not None
        return f"ana+{self.target.user}@db1"

    @property
    def host_key_line(self) -> str:
        """The broker's public host key."""
        line = (self.home / "keys" / "host_key.pub").read_text().split()
        return " ".join(line[:2])

    def client(self) -> OpenSsh:
        """Return ana's ssh; use it as a context manager."""
        return _Operator(self)

    def apply(self, inventory: str) -> None:
        """Make the inventory equal to this text."""
        path = self.folder / "inventory.toml"
        path.write_text(inventory)
        self.psm("apply", str(path))

    def start(self) -> None:
        """Start the broker and wait until it accepts connections; `port` is then known."""
        listen = f"{self.host}:{self.port}"
        argv = [*_psm(self.home), "serve", "--listen", listen, "--ready-json", *self._serve]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(),
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the broker did not start: {self.log.read_text()}"
        self.port = int(json.loads(line)["port"])

    def stop(self, number: int = signal.SIGTERM, within_s: float = 15.0) -> int | None:
        """End the broker and all that it started; return its status, None if it did not run."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            status = process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        _end_group(process.pid)
        if process.stdout is not None:
            process.stdout.close()
        return status

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the broker and its workers with SIGSTOP for the block."""
        assert self.process is not None
        leader = self.process.pid
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        stopped = [leader, *map(int, children)]
        try:
            for process in stopped:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in stopped:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def kill(self) -> None:
        """`kill -9` the broker and its children at once."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.stop()

    def environment(self) -> dict[str, str]:
        """Return the environment of `psm` in this test."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PSM_")}
        return kept | self._env

    def psm(
        self, *arguments: str, check: bool = True, timeout_s: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run `psm --home HOME arguments`; with `check`, a status other than 0 fails the test."""
        done = subprocess.run(
            [*_psm(self.home), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=self.environment(),
        )
        assert not check or done.returncode == 0, (arguments, done.returncode, done.stderr)
        return done

    def json(self, *arguments: str) -> Any:
        """Run a listing with `--json` and return what it printed."""
        return json.loads(self.psm(*arguments, "--json").stdout)

    def sessions(self, *arguments: str) -> list[dict[str, Any]]:
        """Return what `session ls --json` prints."""
        found: list[dict[str, Any]] = self.json("session", "ls", *arguments)
        return found

    def wait_session(self, state: str = "active", within_s: float = 10.0) -> dict[str, Any]:
        """Wait until there is a session in `state` and return the newest."""

        def newest() -> dict[str, Any] | None:
            found = [one for one in self.sessions("--all") if one["state"] == state]
            return found[-1] if found else None

        found = eventually_sync(newest, within_s=within_s, what=f"a session that is {state}")
        assert found is not None
        return found


class _Operator(OpenSsh):
    """ana's ssh client."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker.host, broker.port, broker.host_key_line)
        self._broker = broker

    def __enter__(self) -> OpenSsh:
        super().__enter__()
        self.use_key(self._broker.operator_key)
        return self


def _psm(home: Path) -> list[str]:
    return [sys.executable, "-m", "psm_console.cli", "--home", str(home)]


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
