"""Clients that know nothing of the broker and are only told to go through it, as by `ssh -J`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.broker.jumper import Jumper
from tests.broker.stand import Stand
from tests.support.terminal import PtyProcess
from tests.support.tools import need
from tests.support.ways import Ran, Way, Ways, brief, tree

from .test_ansible import play
from .test_lftp import lftp
from .test_openssh import ENDS, master, ran


@pytest.fixture
def jumps(stand: Stand, ways: Ways) -> Ways:
    """Through the broker by an inventory name, with what `psm ssh-config` prints; and directly."""
    need("ssh")
    config = ways.through.folder / "config"
    # The first hop's own ssh shows the notice: it is told by this file alone to be quiet.
    config.write_text(f"{Jumper(stand).config.read_text()}\n    LogLevel ERROR\n")
    through = dataclasses.replace(
        ways.through, host="db1", port=22, user=stand.sshd.user, config=config
    )
    return Ways(through, ways.direct)


def test_commands_give_their_streams_and_their_status(jumps: Ways, noise: bytes) -> None:
    def all_ends(way: Way) -> list[Ran]:
        return [ran(way, f"cat; echo done >&2; {end}", stdin=noise) for end in ENDS]

    assert jumps.same(all_ends) == [Ran(end, brief(noise), "done\n") for end in ENDS.values()]


def test_a_shared_connection_gives_each_command_its_status(jumps: Ways, noise: bytes) -> None:
    part = noise[-100_000:]

    def shared(way: Way) -> list[Ran]:
        with master(way) as through:
            return [ran(way, f"cat; {end}", *through, stdin=part) for end in ENDS]

    assert jumps.same(shared) == [Ran(status, brief(part)) for status in ENDS.values()]


def test_a_terminal_shows_what_is_typed(jumps: Ways) -> None:
    def typed(way: Way) -> int:
        argv = [*way.ssh, "-tt", way.at, 'stty size; read x; echo "<$x>"; exit 3']
        with PtyProcess(argv, columns=101, rows=37, env=way.environment()) as terminal:
            terminal.wait_for("37 101")
            terminal.type("grüße\r")
            terminal.wait_for("<grüße>")
            return terminal.wait_exit()

    assert jumps.same(typed) == 3


def test_lftp_mirrors_a_tree_both_ways(jumps: Ways, files: Path) -> None:
    def carried(way: Way) -> list[list[str]]:
        up, down = way.folder / "up", way.folder / "down"
        way.good(lftp(way, f"mirror -R {files} {up}", f"mirror {up} {down}"))
        return [[digest for _, digest in tree(folder).values()] for folder in (up, down)]

    sent = [digest for _, digest in tree(files).values()]
    assert jumps.same(carried) == [sent, sent]


def test_ansible_comes_to_the_same(jumps: Ways, files: Path) -> None:
    status, summary, made = play(jumps.through, files, ANSIBLE_PIPELINING="True")

    assert status == 2
    assert {"ok=3", "failed=1", "unreachable=0"} <= set(summary)
    assert made == [brief((files / "noise.bin").read_bytes())] * 2
