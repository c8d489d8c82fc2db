"""No byte reaches a wire before its evidence is written: both doors are listened at, in order."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.recording.channel import ChannelRecorder
from tests.support.openssh import environment
from tests.support.peer import Peer, echo
from tests.support.tools import find_tool, need

from .forwarding import allow
from .stand import Stand
from .wiretap import Wiretap

FLOOD = 3 << 20
GCM = ["-c", "aes128-gcm@openssh.com"]
"""The cipher whose packets the tap can open."""


@pytest.fixture
def tap(shared_stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wiretap]:
    """Both doors of the module's broker, from before the session's first byte."""
    found = Wiretap(monkeypatch, shared_stand.client.port, shared_stand.sshd.port)
    yield found
    shared_stand.tidy()


def _nothing_early(tap: Wiretap, **sizes: int) -> None:
    """Hold that the tap heard these many bytes, and none before its evidence."""
    assert {code: len(tap.sent[code]) for code in sizes} == sizes
    assert tap.early == []


def test_a_flood_both_ways_through_pipes_is_recorded_before_it_is_sent(
    shared_stand: Stand, tap: Wiretap
) -> None:
    data = os.urandom(FLOOD)

    done = shared_stand.client.run(shared_stand.user, "tee /dev/stderr", stdin=data, options=GCM)

    assert done.stdout == data
    _nothing_early(tap, i=FLOOD, o=FLOOD, e=FLOOD)
    assert tap.sent["o"] == tap.recorded["o"].data == data


def test_a_flood_both_ways_at_a_terminal_is_recorded_before_it_is_sent(
    shared_stand: Stand, tap: Wiretap
) -> None:
    typed = b"x" * 65536
    command = f"stty raw -echo; echo begin; head -c {len(typed)} | tr x y; seq 1 200000"
    with shared_stand.client.terminal(shared_stand.user, command, options=GCM) as terminal:
        terminal.wait_for("begin")
        terminal.type(typed)
        assert terminal.wait_exit() == 0

    _nothing_early(tap, i=len(typed))
    assert tap.sent["o"] == tap.recorded["o"].data
    assert tap.sent["o"].count(b"y") == len(typed)
    assert tap.sent["o"].endswith(b"200000\n")


def test_files_by_sftp_are_recorded_before_they_are_sent(
    shared_stand: Stand, tap: Wiretap, tmp_path: Path
) -> None:
    need("sftp")
    (tmp_path / "given").write_bytes(os.urandom(FLOOD))
    ssh = shared_stand.client.argv(shared_stand.user)[1:-3]
    at = ssh.index("-p")
    port = ["-P", ssh[at + 1], "-o", f"User={shared_stand.user}", "-b", "-", "127.0.0.1"]
    batch = f"put {tmp_path}/given {tmp_path}/there\nget {tmp_path}/there {tmp_path}/back\n"
    program = find_tool("sftp")
    assert program is not None

    subprocess.run(
        [program, *GCM, *ssh[:at], *ssh[at + 2 :], *port],
        input=batch.encode(),
        capture_output=True,
        check=True,
        env=environment(),
        timeout=60,
    )

    assert (tmp_path / "back").read_bytes() == (tmp_path / "given").read_bytes()
    assert min(len(tap.sent["i"]), len(tap.sent["o"])) > FLOOD
    _nothing_early(tap)


def test_a_forward_is_recorded_before_it_is_sent(shared_stand: Stand, tap: Wiretap) -> None:
    data = os.urandom(FLOOD)
    with Peer(echo) as peer:
        allow(shared_stand, f"127.0.0.1:{peer.port}")
        through = [*GCM, "-W", f"127.0.0.1:{peer.port}"]
        done = shared_stand.client.run(shared_stand.user, options=through, stdin=data)

    assert done.stdout == data
    _nothing_early(tap, i=FLOOD, o=FLOOD)


def test_the_tap_hears_a_recorder_that_comes_too_late(
    shared_stand: Stand, tap: Wiretap, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, kept = ChannelRecorder.output, list[bytes]()

    def late(self: ChannelRecorder, at: float, data: bytes) -> None:
        kept.append(data)
        if len(kept) > 1:
            record(self, at, kept.pop(0))

    monkeypatch.setattr(ChannelRecorder, "output", late)

    shared_stand.client.run(shared_stand.user, "cat", stdin=os.urandom(1 << 20), options=GCM)

    assert tap.early
