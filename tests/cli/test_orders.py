"""Orders from a second process on real sessions: what the exit status promises is true."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
def _shell(broker: Broker) -> Iterator[tuple[PtyProcess, str]]:
    """Yield ana's terminal, at a prompt, and the id of her session."""
    with broker.client() as client, client.terminal(broker.login) as terminal:
        terminal.type("PS1='at''> '\r")
        terminal.wait_for("at> ")
        yield terminal, broker.wait_session()["id"]


def _settled(terminal: PtyProcess, marker: str) -> int:
    terminal.type(f"echo {marker[:2]}''{marker[2:]}\r")
    return terminal.wait_for(f"{marker}\r\n")


def test_terminate_is_confirmed_and_the_operator_reads_why(broker: Broker) -> None:
    with _shell(broker) as (terminal, session):
        done = broker.psm("session", "terminate", session[:6], "--reason", "lunch is over")

        assert "is confirmed" in done.stderr and "recording sealed" in done.stderr
        assert terminal.wait_exit() == 254
        assert "lunch is over" in terminal.text
    shown = broker.json("session", "show", session)
    assert (shown["state"], shown["ended_by"]) == ("ended", "local")
    assert shown["directives"][0]["outcome"] == "done"
    assert broker.psm("recording", "verify", session).stdout == "OK\n"
    again = broker.psm("session", "terminate", session, "--reason", "x", check=False)
    assert again.returncode == 1 and "has ended" in again.stderr


def test_pause_holds_typing_back_until_resume(broker: Broker) -> None:
    with _shell(broker) as (terminal, session):
        broker.psm("session", "pause", session, "--reason", "looking")
        assert broker.wait_session("paused")["paused_by"] == "local"
        terminal.type("echo lost-''words\r")
        broker.psm("session", "resume", session, "--reason", "looked")

        at = _settled(terminal, "after-pause")
        assert b"lost-words" not in terminal.output[:at]


def test_a_warning_is_read_in_any_client(broker: Broker) -> None:
    with _shell(broker) as (terminal, session):
        broker.psm("session", "warn", session, "mind the gap")

        terminal.wait_for("mind the gap")


def test_an_order_that_nobody_acknowledges_is_not_confirmed(target: Sshd) -> None:
    with Broker(target) as broker, _shell(broker) as (_, session):
        with broker.frozen():
            done = broker.psm("session", "terminate", session, "--reason", "x", check=False)

        assert done.returncode in {1, 69}
        assert "confirmed" not in done.stderr.replace("NOT confirmed", "")


def test_shadow_draws_the_live_screen_and_is_noted_before(broker: Broker) -> None:
    with _shell(broker) as (terminal, session):
        terminal.type("printf '\\033]0;title\\007\\033[1;31mred''dish\\033[0m\\n'\r")
        terminal.wait_for("reddish")
        watch = [sys.executable, "-m", "psm_console.cli", "--home", str(broker.home)]
        with PtyProcess(
            [*watch, "session", "shadow", session], env=os.environ | {"TERM": "xterm-256color"}
        ) as shadow:
            shadow.wait_for("reddish")
            assert b"\x1b]" not in shadow.output
            watched = next(one for one in broker.sessions() if one["id"] == session)
            assert watched["watchers"] == ["local"]
            terminal.type("echo seen-''live\r")
            shadow.wait_for("seen-live")
            shadow.type("q")
            assert shadow.wait_exit() == 0

        actions = [entry["action"] for entry in broker.json("audit", "ls", "--session", session)]
        assert actions[-2:] == ["session.shadow", "session.unshadow"]


def test_shadow_without_a_terminal_prints_the_screen_once(broker: Broker) -> None:
    with _shell(broker) as (terminal, session):
        terminal.type("echo plain-''text\r")
        terminal.wait_for("plain-text")

        def printed() -> bool:
            return "plain-text\n" in broker.psm("session", "shadow", session).stdout

        eventually_sync(printed, what="the screen to be in the recording")


def test_who_loses_the_grant_loses_the_session(broker: Broker) -> None:
    text = (broker.folder / "inventory.toml").read_text()
    with _shell(broker) as (terminal, session):
        broker.apply(text[: text.index("[[grants]]")])
        try:
            assert terminal.wait_exit() == 254
        finally:
            broker.apply(text)
    assert "grant" in broker.json("session", "show", session)["end_reason"]
