"""A broker on loopback with real operators, a real sshd as its target, and a supervisor's hand."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import asyncssh

from psm_console.broker.entry.moment import new_id
from psm_console.broker.service.serve import Running, running
from psm_console.credentials import make_key, public_line
from psm_console.domain.inventory import (
    Account,
    Grant,
    Identity,
    Inventory,
    KeyFile,
    Role,
    Target,
)
from psm_console.domain.names import AccountRef, DirectiveId, GrantId
from psm_console.domain.session import LIVE_STATES, Directive, Outcome, Session, Verb
from psm_console.store import Home, Store
from tests.support.openssh import OpenSsh
from tests.support.sshd import Sshd
from tests.support.waiting import eventually_sync

T = TypeVar("T")


@dataclass
class Stand:
    """`with Stand() as stand:` then `stand.client.run("ana+root@db1", …)`.

    The broker runs in a thread of this process, so that a test can reach into it.
    """

    config: str = ""
    sshd_extra: Sequence[str] = ()
    folder: Path | None = None
    """Where the home is made; a new temporary folder by default."""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Stand:
        folder = self.folder or Path(tempfile.mkdtemp(prefix="psm-"))
        if self.folder is None:
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.home = Home(folder / "home")
        self.home.create()
        make_key(self.home.host_key, "host")
        make_key(self.home.recording_key, "recording")
        if self.config:
            self.home.config.write_text(self.config)
        Store.create(self.home).close()
        self.sshd = self._stack.enter_context(Sshd(self.sshd_extra))
        self.ref = AccountRef(self.sshd.user, "db1")
        self.user = f"ana+{self.ref}"
        client = OpenSsh("127.0.0.1", 0, public_line(self.home.host_key))
        self.client = self._stack.enter_context(client)
        self.apply(self.inventory())
        self.broker = self._stack.enter_context(_thread(self.home))
        self.client.port = self.broker.running.port
        self.client.trust(public_line(self.home.host_key))
        # The way round the broker, to compare with.
        self.direct = self._stack.enter_context(
            OpenSsh("127.0.0.1", self.sshd.port, self.sshd.host_key_line)
        )
        self.direct.use_key(self.sshd.client_key)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def popen(self, command: str, *, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start `command` through the broker with pipes; `tidy` ends it."""
        process = self.client.popen(self.user, command, options=options)
        self._processes.append(process)
        return process

    def enter(self, **options: Any) -> Any:
        """Return asyncssh's connection of ana's, to be awaited or entered."""
        return asyncssh.connect(
            "127.0.0.1",
            self.client.port,
            username=self.user,
            client_keys=[str(self.client.key)],
            known_hosts=None,
            config=None,
            agent_path=None,
            **options,
        )

    def tidy(self) -> None:
        """End what a test started, and wait until no session is live."""
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        eventually_sync(
            lambda: not any(session.state in LIVE_STATES for session in self.sessions()),
            what="all sessions to end",
        )

    def inventory(self) -> Inventory:
        """What applies at the start: `ana` may work as the sshd's user on `db1`."""
        return Inventory(
            {"ana": Identity("ana", frozenset({Role.OPERATOR}), (self.client.public_line,))},
            {"db1": Target("db1", "127.0.0.1", self.sshd.port, (self.sshd.host_key_line,))},
            {self.ref: Account(self.ref, KeyFile(str(self.sshd.client_key)))},
            (Grant(GrantId("g-ana"), "ana", self.ref),),
        )

    def apply(self, inventory: Inventory) -> None:
        """Replace the inventory, as `psm apply` does."""
        with Store.open(self.home) as store:
            store.inventory.replace(inventory)

    def kept(self) -> bytes:
        """Return all that the broker keeps: keys, store, recordings.

        Another process reads it: to close a file of the store's here would take from this process,
        and so from its broker, the locks that SQLite has on it (fcntl(2)).
        """
        argv = ["find", str(self.home.root), "-type", "f", "-exec", "cat", "{}", "+"]
        found = subprocess.run(argv, capture_output=True).stdout  # a file may go meanwhile
        assert found
        return found

    def read(self, question: Callable[[Store], T]) -> T:
        """Ask the store."""
        with Store.open(self.home) as store:
            return question(store)

    def sessions(self, *, live_only: bool = True) -> list[Session]:
        """The sessions, oldest first."""
        return self.read(lambda store: store.sessions.list(live_only=live_only))

    def session(self) -> Session:
        """The newest live session, once there is one that is past connecting."""
        return (
            eventually_sync(
                lambda: next((s for s in self.sessions()[::-1] if s.state != "connecting"), None),
                what="a live session",
            )
            or self.sessions()[-1]
        )

    def last(self) -> Session:
        """The newest session, once it has ended."""
        return (
            eventually_sync(
                lambda: next((s for s in self.sessions(live_only=False)[-1:] if s.ended_at), None),
                what="the session's end",
            )
            or self.sessions(live_only=False)[-1]
        )

    def give(self, session: Session, verb: Verb, by: str = "sue", **more: Any) -> Directive:
        """Store an order and ring, as a supervisor's console does."""
        directive = self.make(session, verb, by, **more)
        with Store.open(self.home) as store, store.transaction():
            store.directives.add(directive)
            if directive.hold:
                store.holds.renew(directive.hold, directive.session, by)
        return directive

    def make(self, session: Session, verb: Verb, by: str = "sue", **more: Any) -> Directive:
        """Return an order that nobody was given yet; `more` are fields of the directive."""
        return Directive(DirectiveId(new_id()), session.id, verb, by, datetime.now(UTC), **more)

    def answer(self, given: Directive) -> Directive:
        """The directive once it is answered."""

        def answered() -> Directive | None:
            found = self.read(lambda store: store.directives.get(given.id))
            return (
                found if found.outcome in (Outcome.DONE, Outcome.REFUSED, Outcome.FAILED) else None
            )

        found = eventually_sync(answered, what=f"the answer to {given.verb}")
        assert found is not None
        return found

    def order(self, session: Session, verb: Verb, by: str = "sue", **more: Any) -> Directive:
        """Give an order and return its answer."""
        return self.answer(self.give(session, verb, by, **more))

    def recording(self, session: Session) -> Path:
        """The folder of a session's recording."""
        return self.home.recordings / session.id

    def recorded(self, session: Session) -> str:
        """The text of all casts of a session."""
        return "".join(p.read_text() for p in sorted(self.recording(session).glob("*.cast")))


class BrokerThread:
    """A broker that runs in a thread, and a way to have something done on its loop."""

    def __init__(self) -> None:
        self.running: Running
        self.loop: asyncio.AbstractEventLoop
        self.stopping: asyncio.Event
        self.error: BaseException | None = None
        self.up = threading.Event()

    async def main(self, home: Home) -> None:
        self.loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        async with running(home, "127.0.0.1:0") as broker:
            self.running = broker
            self.up.set()
            await self.stopping.wait()

    def run(self, home: Home) -> None:
        try:
            asyncio.run(self.main(home))
        except BaseException as error:
            self.error = error
            self.up.set()

    def ask(self, question: Callable[[], T]) -> T:
        """Call `question` on the broker's loop and return its answer."""

        async def asked() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(asked(), self.loop).result(60)


@contextlib.contextmanager
def _thread(home: Home) -> Iterator[BrokerThread]:
    broker = BrokerThread()
    thread = threading.Thread(target=broker.run, args=(home,), name="broker")
    thread.start()
    try:
        assert broker.up.wait(20), "the broker does not come up"
        if broker.error is not None:
            raise broker.error
        yield broker
    finally:
        if broker.error is None:
            broker.loop.call_soon_threadsafe(broker.stopping.set)
        thread.join(20)
    if broker.error is not None:
        raise broker.error
    assert not thread.is_alive(), "the broker does not stop"
