"""The inspector as a process: it works, and it ends with its broker."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from psm_console.recording.keyframes import sidecar
from psm_console.store import Store
from tests.recording.making import make_recorder, open_shell
from tests.store.factories import make_channel, make_home, make_session, register
from tests.support.waiting import eventually_sync


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(make_home(tmp_path)) as store:
        register(store, at=datetime.now(UTC))
        yield store


def start(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "psm_console.inspector", "--home", str(home)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, said = process.communicate(timeout=10)
    return process.returncode, said.decode()


@pytest.mark.parametrize("how", ["sigterm", "end of stdin"])
def test_it_inspects_until_its_broker_is_gone_or_says_so(store: Store, how: str) -> None:
    store.sessions.begin(make_session())
    store.sessions.add_channel(make_channel())
    recorder = make_recorder(store.home.recordings, "s-7100")
    channel = open_shell(recorder)
    channel.output(1, b"$ tail -f log\r\nsome \x1b[31mline")
    process = start(store.home.root)
    try:
        eventually_sync(
            lambda: store.sessions.get("s-7100").last_line == "some line",
            within_s=4.5,  # the worker's lease is not renewed here
            what="the last line is in the store",
        )
        if how == "sigterm":
            process.send_signal(signal.SIGTERM)
        else:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        assert finish(process) == (0, "")
    finally:
        process.kill()
    assert sidecar(store.home.recording("s-7100") / channel.file).exists()
    recorder.close(2, "done")


def test_a_home_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    status, said = finish(start(tmp_path / "none"))

    assert status == 1
    assert said.startswith("the inspector can not start: there is no home")
    assert "Traceback" not in said
