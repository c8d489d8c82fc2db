"""OpenSSH's ssh in each of its manners: the bytes and the status that it gives without a broker."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from tests.broker.stand import Stand
from tests.support.terminal import PtyProcess
from tests.support.tools import need
from tests.support.waiting import eventually_sync
from tests.support.ways import Ran, Way, Ways, brief

ENDS = {"exit 0": 0, "exit 3": 3, "exit 255": 255, "kill -TERM $$": 255, "kill -KILL $$": 255}


@pytest.fixture(autouse=True)
def _tools() -> None:
    need("ssh")


def ran(way: Way, command: str, *options: str, stdin: bytes = b"") -> Ran:
    """Run a command on the server without a terminal."""
    done = way.run([*way.ssh, *options, way.at, command], stdin=stdin)
    return Ran.of(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("end", ENDS)
def test_a_command_gives_its_streams_and_its_status(ways: Ways, noise: bytes, end: str) -> None:
    command = f"cat; echo done >&2; {end}"

    seen = ways.same(lambda way: ran(way, command, stdin=noise))

    assert seen == Ran(ENDS[end], brief(noise), "done\n")


def test_a_shell_without_a_terminal_runs_what_it_is_piped(ways: Ways) -> None:
    def shell(way: Way) -> Ran:
        script = b"cd /\npwd\nseq 1 5000 | sha256sum\nexit 3\n"
        done = way.run([*way.ssh, "-T", way.at], stdin=script)
        return Ran.of(done.returncode, done.stdout, done.stderr)

    seen = ways.same(shell)

    assert seen.status == 3 and seen.out.startswith("/\n")


@pytest.mark.parametrize("end", ENDS)
def test_a_command_with_a_terminal_gives_its_status(ways: Ways, end: str) -> None:
    def typed(way: Way) -> int:
        argv = [*way.ssh, "-tt", way.at, f'stty size; read x; echo "<$x>"; tty -s && {end}']
        with PtyProcess(argv, columns=101, rows=37, env=way.environment()) as terminal:
            terminal.wait_for("37 101")
            terminal.type("typed grüße\r")
            terminal.wait_for("<typed grüße>")
            return terminal.wait_exit()

    assert ways.same(typed) == ENDS[end]


def test_a_terminal_asked_for_without_one_behind_it_is_given(ways: Ways) -> None:
    seen = ways.same(lambda way: ran(way, "tty -s && echo tty; exit 3", "-tt"))

    assert seen == Ran(3, "tty\r\n")


def test_input_from_nowhere_ends_a_command_that_reads(ways: Ways) -> None:
    assert ways.same(lambda way: ran(way, "wc -c; exit 3", "-n")) == Ran(3, "0\n")


@contextlib.contextmanager
def master(way: Way) -> Iterator[Sequence[str]]:
    """A connection in the background that others share; yields the options for those."""
    through = ["-o", f"ControlPath={way.folder}/m"]
    # No pipes: below a jump, what carries the connection keeps those that it is started with.
    argv = [*way.ssh, *through, "-o", "ControlMaster=yes", "-fN", way.at]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=way.environment(), timeout=120)
    try:
        yield through
    finally:
        way.good([*way.ssh, *through, "-O", "exit", way.at])


def test_a_shared_connection_gives_each_command_its_status(ways: Ways, noise: bytes) -> None:
    part = noise[-100_000:]

    def shared(way: Way) -> list[Ran]:
        with master(way) as through:
            return [ran(way, f"cat; echo done >&2; {end}", *through, stdin=part) for end in ENDS]

    assert ways.same(shared) == [Ran(status, brief(part), "done\n") for status in ENDS.values()]


def test_commands_at_the_same_time_share_one_connection(ways: Ways, noise: bytes) -> None:
    def shared(way: Way) -> list[Ran]:
        part = noise[:500_000]
        with master(way) as through:
            argv = [*way.ssh, *through, way.at]
            pipe = subprocess.PIPE
            running = [
                subprocess.Popen([*argv, f"cat; exit {n}"], stdin=pipe, stdout=pipe, stderr=pipe)
                for n in range(4)
            ]
            done = [process.communicate(part, timeout=60) for process in running]
        return [Ran.of(p.returncode, *streams) for p, streams in zip(running, done, strict=True)]

    assert [one.status for one in ways.same(shared)] == [0, 1, 2, 3]


def test_a_connection_without_a_command_stays_until_it_is_ended(stand: Stand, ways: Ways) -> None:
    way = ways.through
    before = len(stand.sessions(live_only=False))
    up = way.folder / "up"
    local = ["-o", "PermitLocalCommand=yes", "-o", f"LocalCommand=touch {up}"]

    process = subprocess.Popen([*way.ssh, *local, "-N", way.at], env=way.environment())
    try:
        eventually_sync(lambda: up.exists() or process.poll() is not None, what="the login")
        assert ran(ways.direct, "true").status == 0
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(10)

    assert len(stand.sessions(live_only=False)) == before, "no channel, no session"
