"""One supervisor, several workers: who dies alone, who is replaced, and what no client notices."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from psm_console.demo.children import descendants
from tests.support.broker import Broker
from tests.support.openssh import OpenSsh
from tests.support.sshd import Sshd
from tests.support.waiting import eventually_sync

from .test_orders import gone

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def target() -> Iterator[Sshd]:
    with Sshd() as found:
        yield found


@pytest.fixture(scope="module")
def pair(target: Sshd) -> Iterator[Broker]:
    """A broker of two workers."""
    with Broker(target, serve=("--workers", "2")) as found:
        yield found


def workers(broker: Broker) -> list[int]:
    """The worker processes of a broker."""
    assert broker.process is not None
    return workers_of(broker.process.pid)


def workers_of(supervisor: int) -> list[int]:
    """The worker processes of a supervisor."""
    return running_of(supervisor, b"psm_console.broker")


def running_of(supervisor: int, module: bytes) -> list[int]:
    """The processes of a supervisor that run `module`."""
    found = []
    for pid in descendants(supervisor):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as line:
            if module + b"\0" in line.read():
                found.append(pid)
    return found


def audited(broker: Broker, action: str) -> list[dict[str, Any]]:
    return [entry for entry in broker.json("audit", "ls") if entry["action"] == action]


class Crowd:
    """Live sessions, each echoing what it is sent."""

    def __init__(self, broker: Broker, client: OpenSsh) -> None:
        self._broker = broker
        self._client = client
        self.processes: list[subprocess.Popen[bytes]] = []

    def add(self) -> subprocess.Popen[bytes]:
        """Begin one more session and wait until it answers."""
        process = self._client.popen(self._broker.login, "cat")
        self.processes.append(process)
        if not self.answers(process):
            process.kill()
            raise AssertionError(f"a new session does not answer: {process.communicate()[1]!r}")
        return process

    @staticmethod
    def answers(process: subprocess.Popen[bytes]) -> bool:
        """Whether a line comes back."""
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(b"hello\n")
            process.stdin.flush()
        except OSError:
            return False
        return process.stdout.readline() == b"hello\n"

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()


@contextlib.contextmanager
def crowd(broker: Broker) -> Iterator[Crowd]:
    with broker.client() as client:
        found = Crowd(broker, client)
        try:
            yield found
        finally:
            found.close()


def test_sessions_are_shared_out_evenly(pair: Broker) -> None:
    with crowd(pair) as operators:
        for _ in range(8):
            operators.add()
        held = Counter(session["worker"] for session in pair.sessions())
        assert len(held) == 2 and min(held.values()) >= 3


def test_an_order_reaches_the_session_whichever_worker_holds_it(pair: Broker) -> None:
    with crowd(pair) as operators:
        for _ in range(3):
            operators.add()
        for session in pair.sessions():
            pair.psm("session", "terminate", session["id"], "--reason", "test")
        assert [process.wait(10) for process in operators.processes] == [254] * 3


def test_the_death_of_a_worker_ends_its_sessions_and_no_others_and_it_is_replaced(
    pair: Broker,
) -> None:
    with crowd(pair) as operators:
        for _ in range(4):
            operators.add()
        before = workers(pair)
        held = {session["id"]: session["worker"] for session in pair.sessions()}
        assert len(before) == len(set(held.values())) == 2

        os.kill(before[0], signal.SIGKILL)

        eventually_sync(lambda: audited(pair, "worker.lost"), what="the loss to be audited")
        lost = [one for one in pair.sessions("--all") if one["state"] == "lost"]
        (died,) = {held[one["id"]] for one in lost}
        assert len(lost) == list(held.values()).count(died)
        assert sum(Crowd.answers(process) for process in operators.processes) == 4 - len(lost)
        eventually_sync(lambda: len(workers(pair)) == 2, what="a new worker")
        operators.add()
        (said,) = audited(pair, "worker.lost")
        assert said["detail"].startswith(f"process {before[0]} ended with status -9")


def test_new_workers_take_over_at_sighup_and_a_live_session_goes_on_and_is_told(
    target: Sshd,
) -> None:
    serve = ("--workers", "1", "--drain-max", "600")
    with Broker(target, serve=serve) as broker, broker.client() as client:
        with client.terminal(broker.login, "echo up; cat") as tty:
            tty.wait_for("up")
            old = workers(broker)
            assert broker.process is not None
            broker.process.send_signal(signal.SIGHUP)
            tty.wait_for("this session ends in 10 min: the broker is being replaced", within_s=20)
            assert client.run(broker.login, "echo new").stdout == b"new\n"
            tty.type(b"still here\r")
            tty.wait_for("still here")
            (session,) = broker.sessions()
            assert session["state"] == "active"
            tty.type(b"\x04")
            assert tty.wait_exit(10) == 0
        eventually_sync(lambda: gone(old[0]), what="the old worker to leave with its session")
        assert client.run(broker.login, "echo on").stdout == b"on\n"


def test_a_new_broker_takes_the_socket_over_and_no_client_is_dropped_or_refused(
    target: Sshd,
) -> None:
    serve = ("--workers", "2", "--drain-max", "600")
    many = "[limits]\nconnections = 1000\n"  # a successor may take its time
    with Broker(target, config=many, serve=serve) as broker, crowd(broker) as operators:
        for _ in range(6):
            operators.add()
        old = broker.process
        assert old is not None
        successor = Successor(broker)
        try:
            joined = [operators.add()]
            while successor.process.poll() is None and not successor.ready:
                joined.append(operators.add())
            joined += [operators.add() for _ in range(3)]
            assert all(Crowd.answers(process) for process in operators.processes)
            assert len(broker.sessions()) == len(operators.processes)
            for process in operators.processes:
                assert process.stdin is not None
                process.stdin.close()
            assert [process.wait(10) for process in operators.processes] == [0] * len(
                operators.processes
            )
            assert old.wait(20) == 0
            operators.add()
            assert {entry["actor"] for entry in audited(broker, "broker.drain")} == {"broker"}
        finally:
            successor.end()


def test_the_successor_inspects_the_sessions_of_the_broker_that_it_replaced(
    target: Sshd,
) -> None:
    serve = ("--workers", "1", "--drain-max", "600")
    with Broker(target, serve=serve) as broker, crowd(broker) as operators:
        session = operators.add()
        eventually_sync(
            lambda: [one["last_line"] for one in broker.sessions()] == ["hello"],
            what="the first line to be inspected",
        )
        successor = Successor(broker, *serve)
        try:
            eventually_sync(lambda: successor.ready, what="the successor")
            assert broker.process is not None
            old = broker.process.pid
            eventually_sync(lambda: not inspectors_of(old), what="the old inspector to leave")
            assert len(inspectors_of(successor.process.pid)) == 1
            assert session.stdin is not None and broker.process.poll() is None
            session.stdin.write(b"after\n")
            session.stdin.flush()
            eventually_sync(
                lambda: [one["last_line"] for one in broker.sessions()] == ["after"],
                what="the next line to be inspected",
            )
        finally:
            successor.end()


def inspectors_of(supervisor: int) -> list[int]:
    """The inspector of a supervisor, while there is one."""
    return running_of(supervisor, b"psm_console.inspector")


class Successor:
    """`psm serve --replace` on the home of a broker that runs."""

    def __init__(self, broker: Broker, *options: str) -> None:
        command = [sys.executable, "-m", "psm_console.cli", "--home", str(broker.home)]
        with broker.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "serve", "--replace", "--ready-json", *(options or ("--workers", "2"))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    @property
    def ready(self) -> bool:
        assert self.process.stdout is not None
        return bool(self.process.stdout.readline())

    def end(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def test_there_is_nothing_to_take_over_without_a_broker(target: Sshd) -> None:
    with Broker(target) as broker:
        broker.stop()
        refused = broker.psm("serve", "--replace", check=False)
        assert refused.returncode == 1
        assert "there is no broker to take over from" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_sigterm_drains_and_the_last_session_takes_the_broker_along(target: Sshd) -> None:
    serve = ("--workers", "2", "--drain-max", "600")
    with Broker(target, serve=serve) as broker, crowd(broker) as operators:
        session = operators.add()
        assert broker.process is not None
        broker.process.terminate()
        eventually_sync(lambda: refuses(broker), what="new connections to be refused")
        assert Crowd.answers(session)
        assert session.stdin is not None
        session.stdin.close()
        assert session.wait(10) == 0
        assert broker.process.wait(20) == 0


def refuses(broker: Broker) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((broker.host, broker.port)) != 0


def test_draining_ends_the_sessions_when_its_time_is_up(target: Sshd) -> None:
    serve = ("--workers", "1", "--drain-max", "2")
    with Broker(target, serve=serve) as broker, crowd(broker) as operators:
        session = operators.add()
        assert broker.process is not None
        broker.process.terminate()
        assert session.wait(15) == 254
        assert session.stderr is not None
        assert b"the broker is being replaced" in session.stderr.read()
        assert broker.process.wait(20) == 0


def test_sighup_changes_nothing_for_a_broker_that_drains_and_a_second_sigterm_ends_it(
    target: Sshd,
) -> None:
    serve = ("--workers", "1", "--drain-max", "600")
    with Broker(target, serve=serve) as broker, crowd(broker) as operators:
        session = operators.add()
        assert broker.process is not None
        broker.process.terminate()
        eventually_sync(lambda: refuses(broker), what="new connections to be refused")
        broker.process.send_signal(signal.SIGHUP)
        eventually_sync(lambda: "this broker drains" in broker.log.read_text(), what="SIGHUP")
        assert Crowd.answers(session)
        broker.process.terminate()
        assert session.wait(15) == 254
        assert broker.process.wait(20) == 0


def test_workers_without_a_supervisor_let_live_sessions_go_on_and_then_leave(
    target: Sshd,
) -> None:
    serve = ("--workers", "1", "--drain-max", "600")
    with Broker(target, serve=serve) as broker, crowd(broker) as operators:
        session = operators.add()
        (worker,) = workers(broker)
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        eventually_sync(lambda: refuses(broker), what="the worker to accept nothing more")
        assert Crowd.answers(session)
        assert session.stdin is not None
        session.stdin.close()
        assert session.wait(10) == 0
        eventually_sync(lambda: gone(worker), what="the worker to leave")


def test_systemd_gives_the_socket_and_is_told_when_the_broker_is_ready(target: Sshd) -> None:
    with Broker(target) as broker:
        broker.stop()
        with socket.socket() as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            listening.bind((broker.host, 0))
            listening.listen()
            address = str(broker.folder / "notify")
            told.bind(address)
            told.settimeout(20)
            process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATED, str(listening.fileno()), str(broker.home)],
                env=broker.environment() | {"NOTIFY_SOCKET": address},
                pass_fds=(listening.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )
            try:
                assert b"READY=1" in told.recv(4096)
                assert process.stdout is not None
                facts = json.loads(process.stdout.readline())
                assert facts["port"] == listening.getsockname()[1]
                broker.port = facts["port"]
                with broker.client() as client:
                    assert client.run(broker.login, "echo yes").stdout == b"yes\n"
            finally:
                process.terminate()
                process.wait(20)
                if process.stdout is not None:
                    process.stdout.close()


ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, "-m", "psm_console.cli", "--home", sys.argv[2],
         "serve", "--ready-json", "--workers", "1"])
"""


def test_a_key_that_can_not_be_used_is_a_sentence_and_not_a_traceback(target: Sshd) -> None:
    with Broker(target) as broker:
        broker.stop()
        (broker.home / "keys" / "recording_key").write_text("no key\n")
        refused = broker.psm("serve", "--listen", "127.0.0.1:0", check=False)
        assert refused.returncode == 1
        assert "it is not an OpenSSH key" in refused.stderr and "Traceback" not in refused.stderr
