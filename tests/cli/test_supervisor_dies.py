"""A supervised session over real ssh, and a real `session shadow` that is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from psm_console.domain.session import SessionState
from psm_console.domain.supervision import UNSUPERVISED
from psm_console.store import Home, Store
from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.terminal import PtyProcess
from tests.support.waiting import eventually_sync

CONFIG = "[limits]\nunsupervised_s = 10.0\nwarn_s = 2.0\n"


def supervised(target: Sshd) -> str:
    account = f"{target.user}@db1"
    return f'[[grants]]\noperator = "ana"\naccount = "{account}"\nsupervised = true\n'


def received(log: Path) -> bytes:
    return log.read_bytes() if log.exists() else b""


@pytest.mark.fault
def test_a_supervised_session_stops_with_the_window_of_its_last_supervisor_and_ends() -> None:
    """Input stops within 3 s, nothing typed after reaches the target, the maximum ends it."""
    with (
        Sshd() as target,
        Broker(target, config=CONFIG, inventory=supervised(target)) as broker,
        broker.client() as client,
        Store.open(Home(broker.home), read_only=True) as store,
    ):
        log = target.folder / "typed"
        command = f"stty raw -echo; echo begun; exec cat > {log}"
        with client.terminal(broker.login, command) as operator:
            operator.wait_for(UNSUPERVISED)
            operator.type(b"EARLY")
            session = broker.wait_session("paused")["id"]
            words = [sys.executable, "-m", "psm_console.cli", "--home", str(broker.home)]
            argv = [*words, "session", "shadow", session]

            def paused() -> bool:
                return store.sessions.get(session).state is SessionState.PAUSED

            with PtyProcess(argv, env=os.environ | {"TERM": "xterm"}) as shadow:
                shadow.wait_for("live")
                assert received(log) == b"" and "begun" not in operator.text

                def works() -> bytes:
                    if paused():  # at first, and whenever this machine was too busy to watch
                        shadow.read(0)
                        broker.psm("session", "resume", session, "--reason", "go", check=False)
                    operator.type(b"good.")
                    operator.read(0.1)
                    return received(log)

                assert eventually_sync(works).startswith(b"good.")
                operator.wait_for("begun")
                os.kill(shadow.process.pid, signal.SIGKILL)
                died = time.monotonic()
                eventually_sync(paused, what="the pause")
                # 3 s are promised; the rest is for a machine that is busy.
                assert time.monotonic() - died < 5
            before = received(log)
            operator.type(b"POISON")
            found = store.sessions.get(session)
            assert found.paused_by == "broker" and UNSUPERVISED in (found.attention or "")
            answer = broker.psm("session", "resume", session, "--reason", "go", check=False)
            assert answer.returncode == 1 and "shadow it, then resume" in answer.stderr
            operator.type(b"POISON")
            assert operator.wait_exit() == 254
            assert "no supervisor has watched for 10 s" in operator.text
            assert received(log) == before and not before.strip(b"good.")
        assert broker.json("session", "show", session)["ended_by"] == "broker"
        actions = [one["action"] for one in broker.json("audit", "ls", "--session", session)]
        assert actions.count("supervision.lapse") >= 2 and "session.resumed" in actions
