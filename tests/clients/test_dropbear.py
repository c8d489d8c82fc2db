"""dropbear's dbclient, alone and beneath rsync and scp."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import PtyProcess
from tests.support.tools import find_tool, need
from tests.support.ways import Ran, Way, Ways, brief, tree

ENDS = {"exit 0": 0, "exit 3": 3, "exit 255": 255, "kill -TERM $$": 0}
"""dbclient does not tell of a signal, with a broker or without."""


def dbclient(way: Way) -> list[str]:
    """Return dbclient with this way's key, but for the user, the host and what follows.

    It takes its own form of key, and the server's from known_hosts below its home, without a port.
    """
    need("dbclient", "dropbearconvert")
    key = way.folder / "dropbear_key"
    if not key.exists():
        way.good(["dropbearconvert", "openssh", "dropbear", way.key, key])
        way.known_hosts.write_text(f"{way.host} {way.host_key_line}\n")
    program = find_tool("dbclient")
    assert program is not None
    return [program, "-i", str(key), "-p", str(way.port)]


@pytest.mark.parametrize("end", ENDS)
def test_a_command_gives_its_streams_and_its_status(ways: Ways, noise: bytes, end: str) -> None:
    def ran(way: Way) -> Ran:
        argv = [*dbclient(way), "-l", way.user, way.host, f"cat; echo done >&2; {end}"]
        done = way.run(argv, stdin=noise)
        # The broker's notice is the client's own to print; the command's line is behind it.
        return Ran.of(done.returncode, done.stdout, done.stderr[-5:])

    assert ways.same(ran) == Ran(ENDS[end], brief(noise), "done\n")


def test_a_terminal_shows_what_is_typed(ways: Ways) -> None:
    def typed(way: Way) -> int:
        argv = [*dbclient(way), "-t", "-l", way.user, way.host, 'read x; echo "<$x>"; exit 3']
        with PtyProcess(argv, env=way.environment({"TERM": "xterm"})) as terminal:
            terminal.type("typed\r")
            terminal.wait_for("<typed>")
            return terminal.wait_exit()

    assert ways.same(typed) == 3


def test_rsync_over_dbclient_carries_a_tree_both_ways(ways: Ways, files: Path) -> None:
    need("rsync")

    def carried(way: Way) -> list[dict[str, tuple[int, str]]]:
        up, down = way.folder / "up", way.folder / "down"
        rsync = ["rsync", "-a", "-e", " ".join(dbclient(way))]
        way.good([*rsync, f"{files}/", f"{way.at}:{up}/"])
        way.good([*rsync, f"{way.at}:{up}/", f"{down}/"])
        return [tree(up), tree(down)]

    assert ways.same(carried) == [tree(files), tree(files)]
