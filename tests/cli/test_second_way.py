"""Ending sessions when the store is away, and many of them at once."""

from __future__ import annotations

import json
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync


@pytest.fixture(scope="module")
def target() -> Iterator[Sshd]:
    with Sshd() as running:
        yield running


@pytest.fixture(scope="module")
def broker(target: Sshd) -> Iterator[Broker]:
    with Broker(target) as running:
        yield running


@contextmanager
def sleeper(broker: Broker) -> Iterator[tuple[PtyProcess, str]]:
    """Yield a terminal of ana's that waits, and the id of its session."""
    before = {one["id"] for one in broker.sessions()}
    with broker.client() as client, client.terminal(broker.login, "echo up; sleep 300") as tty:
        tty.wait_for("up")
        (new,) = eventually_sync(lambda: {one["id"] for one in broker.sessions()} - before)
        yield tty, new


@contextmanager
def held_store(broker: Broker) -> Iterator[None]:
    """Keep everybody else from writing to the store."""
    holder = sqlite3.connect(broker.home / "psm.db", isolation_level=None, timeout=10)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def audited(broker: Broker, session: str) -> list[str]:
    return [entry["action"] for entry in broker.json("audit", "ls", "--session", session)]


@pytest.mark.fault
@pytest.mark.parametrize("options", [(), ("--direct",)])
def test_a_session_is_ended_while_the_store_is_held_and_the_store_learns_it_later(
    broker: Broker, options: tuple[str, ...]
) -> None:
    with sleeper(broker) as (tty, session):
        with held_store(broker):
            began = time.monotonic()
            done = broker.psm(
                "session", "terminate", session[:8], "--reason", "fire", *options, "--json"
            )
            took = time.monotonic() - began
            assert tty.wait_exit() == 254
        assert "session ended by local: fire" in tty.text
        (row,) = json.loads(done.stdout)
        assert (row["outcome"], row["confirmed"]) == ("done", True)
        closed = [step for step in row["steps"] if step["name"] == "target leg closed"]
        # From the claim on; the command's own start is the machine's affair.
        assert closed[0]["ms"] < 3000 and took < 20
    assert broker.wait_session("ended")["id"] == session
    eventually_sync(lambda: "session.end" in audited(broker, session))
    actions = audited(broker, session)
    assert actions.count("session.terminate") == 1
    (kept,) = broker.json("session", "show", session)["directives"]
    assert (kept["actor"], kept["outcome"], kept["reason"]) == ("local", "done", "fire")


@pytest.mark.fault
def test_a_store_that_is_gone_keeps_nobody_from_ending_a_session(target: Sshd) -> None:
    with Broker(target) as broker, sleeper(broker) as (tty, session):
        (broker.home / "psm.db").rename(broker.home / "away.db")

        done = broker.psm("session", "terminate", session, "--reason", "fire")

        assert "going past the store" in done.stderr and "is confirmed" in done.stderr
        assert tty.wait_exit() == 254
        (broker.home / "away.db").rename(broker.home / "psm.db")


def test_the_second_way_pauses_and_says_what_it_does_not_find(broker: Broker) -> None:
    with sleeper(broker) as (_, session):
        broker.psm("session", "pause", session, "--direct", "--reason", "look")
        assert broker.wait_session("paused")["attention"] == "unwatched pause"
        unknown = broker.psm(
            "session", "terminate", "zzz", "--direct", "--reason", "x", check=False
        )
        assert unknown.returncode == 3
        broker.psm("session", "terminate", session, "--reason", "done")


@pytest.mark.attack
def test_the_control_socket_serves_only_who_can_read_the_homes_keys(broker: Broker) -> None:
    from psm_console.store import Home
    from psm_console.store.control import Question, ask, control_sockets

    home = Home(broker.home)
    sockets = control_sockets(home)
    assert sockets
    for path in sockets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        answer = ask(home, path, Question("guess", ""), 5)
        assert answer is not None and "owns the home" in answer.refusal and not answer.matches
    assert stat.S_IMODE((broker.home / "keys" / "control").stat().st_mode) == 0o600


@pytest.mark.attack
@pytest.mark.parametrize(
    "said", [b"", b"\n", b"{}\n", b"\xff\n", b'{"password": 1}\n', b"x" * 200_000, b"[" * 9000]
)
def test_nonsense_on_the_control_socket_harms_nobody(broker: Broker, said: bytes) -> None:
    import socket

    from psm_console.store import Home
    from psm_console.store.control import control_sockets

    for path in control_sockets(Home(broker.home)):
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(10)
            wire.connect(str(path))
            try:
                wire.sendall(said)
                wire.shutdown(socket.SHUT_WR)
                assert wire.recv(100) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
    with sleeper(broker) as (tty, session):
        broker.psm("session", "terminate", session, "--direct", "--reason", "still there")
        assert tty.wait_exit() == 254


def test_many_sessions_are_shown_first_and_ended_together(broker: Broker) -> None:
    with ExitStack() as stack:
        all_of_them = [stack.enter_context(sleeper(broker)) for _ in range(3)]
        ids = [session for _, session in all_of_them]

        dry = broker.psm("session", "terminate", "--operator", "ana", "--dry-run", "--json")
        assert [row["session"] for row in json.loads(dry.stdout)] == ids
        assert "3 sessions would be ended" in dry.stderr
        for missing in (["--reason", "x"], ["--yes"]):
            refused = broker.psm("session", "terminate", "--all", *missing, check=False)
            assert refused.returncode == 2
        none = broker.psm(
            "session", "terminate", "--target", "db9", "--yes", "--reason", "x", "--json"
        )
        assert json.loads(none.stdout) == []

        done = broker.psm("session", "terminate", "--target", "db1", "--yes", "--reason", "fire")

        assert "3 of 3 sessions are confirmed as ended" in done.stderr
        for tty, _ in all_of_them:
            assert tty.wait_exit() == 254
            assert "session ended by local: fire" in tty.text


@pytest.mark.fault
def test_many_sessions_that_nobody_acknowledges_are_not_confirmed(target: Sshd) -> None:
    with Broker(target) as broker, sleeper(broker) as (_, session):
        with broker.frozen():
            done = broker.psm(
                "session", "terminate", "--all", "--yes", "--reason", "x", "--json", check=False
            )
        assert done.returncode == 1
        (row,) = json.loads(done.stdout)
        assert (row["session"], row["confirmed"]) == (session, False)


def test_a_pause_without_a_holder_says_so_and_one_that_is_held_is_not_marked(
    broker: Broker,
) -> None:
    with sleeper(broker) as (_, session):
        alone = broker.psm("session", "pause", session, "--reason", "look")
        assert "Nobody holds this pause" in alone.stderr
        assert broker.wait_session("paused")["attention"] == "unwatched pause"
        argv = [
            sys.executable,
            "-m",
            "psm_console.cli",
            "--home",
            str(broker.home),
            "session",
            "pause",
            session,
            "--hold",
            "--reason",
            "mine",
        ]
        with PtyProcess(argv, env=broker.environment()) as holding:
            holding.wait_for("You hold the pause")
            assert broker.wait_session("paused")["attention"] is None
            holding.type(b"\x03")
            holding.wait_exit()
        eventually_sync(lambda: broker.wait_session("paused")["attention"] == "unwatched pause")
        broker.psm("session", "terminate", session, "--reason", "done")


def test_a_resume_says_what_waits_and_can_close_it(broker: Broker) -> None:
    with broker.client() as client:
        process = client.popen(broker.login, "echo up; cat")
        assert process.stdout and process.stdin
        assert process.stdout.readline() == b"up\n"
        session = broker.wait_session()["id"]
        broker.psm("session", "pause", session)
        process.stdin.write(b"x" * 100)
        process.stdin.flush()
        eventually_sync(lambda: broker.json("session", "show", session)["held"], what="what waits")

        done = broker.psm("session", "resume", session, "--close-held", "--reason", "no")

        assert "channel 1 (echo up; cat) has 100 bytes" in done.stderr
        assert "closed: channel 1 with 100 bytes" in done.stderr
        out, said = process.communicate(timeout=20)
        assert (out, process.returncode) == (b"", 1)
        assert b"closed by local after the pause" in said
