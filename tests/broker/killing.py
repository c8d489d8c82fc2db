"""Workers that are killed at random moments, and what their sessions' clients had got by then."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from psm_console.domain.session import LIVE_STATES, Session, SessionState
from psm_console.operations.recordings import judge
from psm_console.recording.cast_check import VerdictWord
from psm_console.recording.reader import Tail
from psm_console.store import Home, Store
from tests.support.broker import Broker
from tests.support.openssh import OpenSsh
from tests.support.waiting import eventually_sync

_TYPING = "echo up; cat"
COMMANDS = ("echo up; read go; seq 1 100000000", _TYPING, "echo up; read go; cat /dev/urandom")
"""A flood of text, typing into a PTY, a flood that is no text; each waits for a line."""
_LATEST_S = 0.25
LOST_S = 6.0
"""How long a session may read as live after its worker's death."""
_WAIT_S = 60.0


@dataclass
class Client:
    """An operator's ssh: everything that it got, and typing without a stop where it types."""

    process: subprocess.Popen[bytes]
    types: bool
    got: bytearray = field(default_factory=bytearray)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Read in a thread."""
        self._thread(self._read)

    def go(self) -> None:
        """Have the flood begin, or type without a stop."""
        if self.types:
            self._thread(self._type)
        else:
            assert self.process.stdin is not None
            os.write(self.process.stdin.fileno(), b"\n")

    def _thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 1 << 16):
            self.got += data

    def _type(self) -> None:
        assert self.process.stdin is not None
        number = 0
        with contextlib.suppress(OSError):
            while self.process.poll() is None:
                os.write(self.process.stdin.fileno(), b"key %d\r" % number)
                number += 1
                time.sleep(0.002)

    def end(self) -> None:
        """Wait until the client has left by itself and all that it got was read."""
        self.process.wait(_WAIT_S)
        for thread in self._threads:
            thread.join(_WAIT_S)
        self.close()

    def close(self) -> None:
        """Kill what is left of it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


@dataclass
class Toll:
    """What the kills have cost so far."""

    kills: int = 0
    sessions: int = 0
    bytes_got: int = 0
    bytes_missing: int = 0
    """Bytes that a client got and that are not in its recording."""
    slowest_s: float = 0.0
    """From a kill until the last of its sessions read as lost."""
    words: set[VerdictWord] = field(default_factory=set)


class Killing:
    """`with Killing(broker, seed) as killing:` then `killing.round(clients)`; `toll` adds up."""

    def __init__(self, broker: Broker, seed: int) -> None:
        self._broker = broker
        self._random = random.Random(seed)
        self._home = Home(broker.home)
        self._clients: list[Client] = []
        self._ssh: OpenSsh = broker.client()
        self.toll = Toll()

    def __enter__(self) -> Killing:
        self._ssh.__enter__()
        self._store = Store.open(self._home)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.close()
        self._store.close()
        self._ssh.__exit__(kind, error, trace)

    def round(self, clients: int, most: int = 1 << 30) -> None:
        """Have `clients` work, and kill the workers that hold them, `most` at most."""
        held = self._begin(clients)
        pids = {worker.id: worker.pid for worker in self._store.workers.list()}
        workers = [pids[one] for one in {s.worker for s in held.values() if s.worker}]
        for pid in workers[:most]:
            # The moment is the point here: anywhere in the work of the worker.
            time.sleep(self._random.uniform(0.0, _LATEST_S))
            os.kill(pid, signal.SIGKILL)
            self.toll.kills += 1
            mine = [s for s in held.values() if s.worker and pids[s.worker] == pid]
            self._lost(mine, time.monotonic())
        for client, session in list(held.items()):
            if session.worker and pids[session.worker] in workers[:most]:
                self._count(self._clients[client], session)
        self._tidy()

    def _begin(self, count: int) -> dict[int, Session]:
        """Start clients one by one, so that each knows its session; then all set to work."""
        held: dict[int, Session] = {}
        for _ in range(count):
            session = self._enter()
            held[len(self._clients) - 1] = session
        for number in held:
            self._clients[number].go()
        return held

    def _enter(self) -> Session:
        """Start one more client; return its session once it prints and its channel is stored."""
        before = {session.id for session in self._store.sessions.list()}
        command = COMMANDS[len(self._clients) % len(COMMANDS)]
        types = command == _TYPING
        options = ["-tt"] if types else []
        process = self._ssh.popen(self._broker.login, command, options=options)
        client = Client(process, types)
        self._clients.append(client)
        client.begin()
        eventually_sync(lambda: client.got, what="a session that prints")
        new = [s for s in self._store.sessions.list() if s.id not in before][-1]
        # A file that the store has never heard of would be an orphan, and rightly.
        eventually_sync(
            lambda: self._store.sessions.get(new.id).channels, what="the channel to be stored"
        )
        return new

    def _lost(self, sessions: list[Session], killed_at: float) -> None:
        """Wait until `sessions` read as lost."""

        def lost() -> bool:
            states = (self._store.sessions.get(session.id).state for session in sessions)
            return all(state is SessionState.LOST for state in states)

        eventually_sync(lost, within_s=_WAIT_S, what="the sessions to read as lost")
        self.toll.slowest_s = max(self.toll.slowest_s, time.monotonic() - killed_at)

    def _count(self, client: Client, session: Session) -> None:
        client.end()
        recorded = said(self._home, session)
        self.toll.sessions += 1
        self.toll.bytes_got += len(client.got)
        self.toll.bytes_missing += missing(bytes(client.got), recorded)
        info = self._store.recordings.get(session.id)
        self.toll.words.add(judge(self._store, info).word)

    def _tidy(self) -> None:
        """End the clients that were spared, and wait until nothing is live."""
        for client in self._clients:
            client.close()

        def ended() -> bool:
            return not any(s.state in LIVE_STATES for s in self._store.sessions.list())

        eventually_sync(ended, within_s=_WAIT_S, what="all sessions to end")


def said(home: Home, session: Session) -> bytes:
    """Return the output in a session's recording."""
    with Tail(home.recording(session.id) / "1-exec.cast") as tail:
        out = bytearray()
        while events := tail.read(1 << 24):
            for event in events:
                if event.code == "o" and isinstance(event.data, bytes):
                    out += event.data
        return bytes(out)


def missing(got: bytes, recorded: bytes) -> int:
    """Return how many bytes of `got` come after the last that agrees with `recorded`."""
    if recorded.startswith(got):
        return 0
    agreed = next((n for n, (a, b) in enumerate(zip(got, recorded, strict=False)) if a != b), None)
    return len(got) - (min(len(got), len(recorded)) if agreed is None else agreed)
