"""A real console that dies while it holds a pause; a real `session shadow` that loses its right."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from psm_console.domain.inventory import Role
from psm_console.store import Home, Store
from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

CONFIG = "[limits]\npause_s = 20.0\nwarn_s = 2.0\n"


def psm(broker: Broker, *words: str) -> list[str]:
    return [sys.executable, "-m", "psm_console.cli", "--home", str(broker.home), *words]


def received(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""


@pytest.mark.fault
def test_a_console_that_is_killed_leaves_its_pause_in_force_and_the_others_told() -> None:
    """Nothing reaches the target, an alert within 5 s, and the maximum ends the session."""
    terminal = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    with Sshd() as target, Broker(target, config=CONFIG) as broker, broker.client() as client:
        log = target.folder / "typed"
        command = f"stty raw -echo; echo up; exec cat > {log}"
        with client.terminal(broker.login, command) as operator:
            operator.wait_for("up")
            session = broker.wait_session()["id"]
            argv = psm(broker, "console", f"psm://session/{session}")
            with PtyProcess(argv, env=terminal) as console:
                console.wait_for("LIVE", within_s=60)
                console.type("p")
                console.wait_for("Pause this session?")
                console.type("look")
                console.type("\r")
                assert broker.wait_session("paused")["attention"] is None
                before = received(log)
                os.kill(console.process.pid, signal.SIGKILL)
                died = time.monotonic()
            operator.type(b"POISON")
            with Store.open(Home(broker.home), read_only=True) as store:
                marked = lambda: store.sessions.get(session).attention  # noqa: E731
                assert eventually_sync(marked) == "unwatched pause"
                # 5 s are promised; the rest is for a machine that is busy.
                assert time.monotonic() - died < 8
                operator.type(b"POISON")
                assert store.sessions.get(session).state == "paused"
            assert operator.wait_exit() == 254
            assert "the longest a pause may last" in operator.text
            assert received(log) == before
        ended = broker.json("session", "show", session)
        assert ended["ended_by"] == "broker"
        actions = [one["action"] for one in broker.json("audit", "ls", "--session", session)]
        assert "pause.lapse" in actions and "session.resumed" not in actions


@pytest.mark.attack
def test_a_shadow_on_the_command_line_is_cut_when_the_right_to_look_is_gone() -> None:
    with (
        Sshd() as target,
        Broker(target) as broker,
        broker.client() as client,
        client.terminal(broker.login, "echo up; sleep 300") as operator,
    ):
        operator.wait_for("up")
        session = broker.wait_session()["id"]
        shadow = PtyProcess(
            psm(broker, "session", "shadow", session), env=os.environ | {"TERM": "xterm"}
        )
        with shadow, Store.open(Home(broker.home)) as store:
            shadow.wait_for("up")
            inventory = store.inventory.load()
            nobody = replace(inventory.identities["local"], roles=frozenset({Role.ADMIN}))
            everybody = {**inventory.identities, "local": nobody}
            store.inventory.replace(replace(inventory, identities=everybody))
            began = time.monotonic()
            shadow.wait_for("You may no longer watch")
            assert time.monotonic() - began < 4  # 2 s are promised
