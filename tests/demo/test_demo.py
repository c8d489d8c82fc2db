"""`psm demo`: one command, real sessions, and nothing left behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from psm_console.demo.children import descendants
from tests.support.openssh import environment
from tests.support.terminal import PtyProcess
from tests.support.tools import need
from tests.support.waiting import eventually_sync

_PSM = [sys.executable, "-m", "psm_console.cli"]


@dataclass
class Demo:
    """A demo that runs without a console, and the line that it printed."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    temporary: Path

    def psm(self, *arguments: str) -> str:
        argv = [*_PSM, "--home", self.ready["home"], *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.psm("session", "ls", "--json"))
        return found

    def ssh(self, login: str, command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a plain ssh with what the ready line says, and nothing else."""
        options = ["-F", "none", "-i", self.ready["identity_file"], "-p", str(self.ready["port"])]
        options += ["-o", f"UserKnownHostsFile={self.ready['known_hosts']}", "-o", "BatchMode=yes"]
        return subprocess.run(
            ["ssh", *options, "-l", login, self.ready["host"], command],
            capture_output=True,
            timeout=30,
            env=environment(),
        )


def _environment(temporary: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(temporary), "TERM": "xterm-256color"}


@contextmanager
def _headless(temporary: Path, *arguments: str, before: Sequence[str] = ()) -> Iterator[Demo]:
    process = subprocess.Popen(
        [*before, *_PSM, *arguments, "demo", "--headless"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(temporary),
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Demo(process, json.loads(line), temporary)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def _gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with _headless(tmp_path_factory.mktemp("d")) as running:
        yield running


def test_several_operators_work_from_the_start_on_different_targets(demo: Demo) -> None:
    wanted = {"mira", "kai", "dev", "jon", "tom", "nightly"}
    eventually_sync(
        lambda: wanted <= {one["operator"] for one in demo.sessions()}, what="the operators"
    )

    targets = {one["target"] for one in demo.sessions()}
    assert {"db1", "web1", "build1"} <= targets
    rows = json.loads(demo.psm("recording", "ls", "--json"))
    assert sum(row["ended_at"] is not None for row in rows) >= 4, "the library is not empty"


def test_every_login_of_the_ready_line_works_with_a_plain_ssh(demo: Demo) -> None:
    need("ssh")
    for login in demo.ready["logins"]:
        done = demo.ssh(login, "echo $HOME; exit 7")

        assert done.returncode == 7, done.stderr
        assert str(demo.temporary) in done.stdout.decode()


def test_programs_on_the_targets_know_nothing_of_the_users_environment(demo: Demo) -> None:
    need("ssh")
    for login in demo.ready["logins"]:
        names = {line.partition("=")[0] for line in demo.ssh(login, "env").stdout.decode().split()}
        assert names <= {
            *("PATH", "HOME", "SHELL", "LANG", "TERM", "PWD", "SHLVL", "_", "OLDPWD"),
        }


def test_an_operator_who_was_thrown_out_comes_back_with_a_new_session(demo: Demo) -> None:
    first = eventually_sync(
        lambda: [one["id"] for one in demo.sessions() if one["operator"] == "tom"], what="tom"
    )
    demo.psm("session", "terminate", first[0], "--reason", "test")

    def back() -> bool:
        return any(one["operator"] == "tom" and one["id"] != first[0] for one in demo.sessions())

    eventually_sync(back, within_s=40, what="tom's next session")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_nothing_is_left(tmp_path: Path, number: int) -> None:
    with _headless(tmp_path) as running:
        eventually_sync(lambda: len(running.sessions()) > 2, what="sessions")
        below = descendants(running.process.pid)
        assert len(below) > 5

        running.process.send_signal(number)

        assert running.process.wait(15) == 0
        assert _gone(below)
        assert list(tmp_path.iterdir()) == []


def test_hanging_up_does_not_end_what_was_started_with_nohup(tmp_path: Path) -> None:
    with _headless(tmp_path, before=["nohup"]) as running:
        running.process.send_signal(signal.SIGHUP)

        eventually_sync(lambda: len(running.sessions()) > 2, what="sessions")
        assert running.process.poll() is None


def test_processes_do_not_outlive_a_demo_that_was_killed(tmp_path: Path) -> None:
    with _headless(tmp_path) as running:
        eventually_sync(lambda: len(running.sessions()) > 2, what="sessions")
        below = descendants(running.process.pid)

        running.process.kill()

        # The broker ends its sessions in order first, which may take it some seconds.
        eventually_sync(lambda: _gone(below), within_s=25, what="all processes to be gone")


def test_a_named_home_stays_and_a_used_one_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "mine"
    with _headless(tmp_path, "--home", str(home)) as running:
        assert running.ready["home"] == str(home)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    argv = [*_PSM, "--home", str(home), "demo", "--headless"]
    again = subprocess.run(argv, capture_output=True, text=True)
    assert again.returncode == 1
    assert "new or empty directory" in again.stderr


def test_the_console_opens_on_live_sessions_and_hanging_up_ends_everything(tmp_path: Path) -> None:
    with PtyProcess([*_PSM, "demo"], columns=240, rows=40, env=_environment(tmp_path)) as terminal:
        terminal.wait_for("mira", within_s=15)
        terminal.wait_for("join: ssh -F ")
        below = descendants(terminal.process.pid)
        assert len(below) > 5

        terminal.process.send_signal(signal.SIGHUP)

        terminal.wait_exit(15)
        assert _gone(below)
        assert list(tmp_path.iterdir()) == []


def test_leaving_the_console_ends_everything_and_gives_the_terminal_back(tmp_path: Path) -> None:
    with PtyProcess([*_PSM, "demo"], columns=120, rows=40, env=_environment(tmp_path)) as terminal:
        terminal.wait_for("mira", within_s=15)
        terminal.type("q")

        assert terminal.wait_exit(15) == 0
        assert terminal.output.rfind(b"\x1b[?1049l") > terminal.output.rfind(b"\x1b[?1049h")
        assert list(tmp_path.iterdir()) == []
