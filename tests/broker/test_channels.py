"""Shell and exec through the broker: as if it were not there, and recorded."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.support.tools import VIM, need
from tests.support.waiting import eventually_sync

from .stand import Stand


@pytest.mark.parametrize("status", [0, 3, 255])
def test_exec_gives_streams_and_status_as_direct(stand: Stand, status: int) -> None:
    command = f"cat; echo out; echo err >&2; exit {status}"

    through = stand.client.run(stand.user, command, stdin=b"in\n")
    direct = stand.direct.run(stand.sshd.user, command, stdin=b"in\n")

    assert (through.returncode, through.stdout) == (direct.returncode, direct.stdout)
    assert through.stdout == b"in\nout\n"
    # The banner is OpenSSH's own to print; past it stderr is the command's alone.
    assert through.stderr.replace(b"\r\n", b"\n").endswith(b"watched.\nerr\n")


def test_a_program_killed_by_a_signal_ends_as_direct(stand: Stand) -> None:
    through = stand.client.run(stand.user, "kill -KILL $$")
    direct = stand.direct.run(stand.sshd.user, "kill -KILL $$")

    assert through.returncode == direct.returncode == 255
    channel = stand.last().channels[0]
    assert channel.exit == "signal KILL"


def test_binary_data_passes_both_ways_byte_for_byte(stand: Stand) -> None:
    data = os.urandom(3 << 20) + bytes(range(256)) * 64

    through = stand.client.run(stand.user, "cat", stdin=data)

    assert through.stdout == data


def test_output_that_follows_a_closed_input_is_not_lost(stand: Stand) -> None:
    through = stand.client.run(
        stand.user, "cat >/dev/null; seq 1 20000; exit 7", stdin=b"x" * 70000
    )

    assert through.returncode == 7
    assert through.stdout == b"".join(b"%d\n" % n for n in range(1, 20001))


def test_calls_through_a_master_connection_share_one_session(stand: Stand) -> None:
    with stand.client.master(stand.user) as through:
        results = [
            stand.client.run(stand.user, f"echo {n}; exit {n}", options=through) for n in range(6)
        ]
        session = stand.session()
        assert len(stand.sessions()) == 1

    assert [(r.returncode, r.stdout) for r in results] == [(n, b"%d\n" % n) for n in range(6)]
    assert session.id == stand.last().id
    assert [channel.exit for channel in stand.last().channels] == [str(n) for n in range(6)]


def test_a_shell_has_the_terminal_that_the_client_asked_for(stand: Stand) -> None:
    with stand.client.terminal(
        stand.user, "stty size; echo $TERM; cat", columns=91, rows=33
    ) as tty:
        tty.wait_for("33 91")
        tty.wait_for("xterm-256color")


def test_a_window_change_reaches_the_program_and_the_recording(stand: Stand) -> None:
    script = 'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done'
    with stand.client.terminal(stand.user, f"bash -c '{script}'", columns=80, rows=24) as tty:
        tty.wait_for("ready")
        tty.resize(123, 45)
        tty.wait_for("45 123")
        session = stand.session()
        assert '"r","123x45"' in stand.recorded(session).replace(" ", "")


def test_only_listed_variables_reach_the_target(stand: Stand) -> None:
    options = ["-o", "SetEnv=LC_TEST=yes LD_PRELOAD=/x.so BASH_ENV=/x LC_BAD=\x1b[31m"]

    through = stand.client.run(stand.user, "env", options=options)

    assert b"LC_TEST=yes" in through.stdout
    assert b"LD_PRELOAD" not in through.stdout and b"BASH_ENV=/x" not in through.stdout
    assert b"\x1b" not in through.stdout


def test_a_client_that_is_killed_takes_its_program_with_it(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo pid $$; exec sleep 300") as tty:
        tty.wait_for("pid ")
        session = stand.session()
    ended = stand.last()

    assert ended.id == session.id and ended.ended_by == "ana"


@pytest.mark.parametrize("program", ["vim", "less", "top"])
def test_full_screen_programs_look_as_direct(stand: Stand, program: str) -> None:
    need(program)
    command = {"vim": f"{VIM} /etc/services", "less": "less /etc/services", "top": "top -d 60"}
    quits = {"vim": ":q!\r", "less": "q", "top": "q"}
    shown = {"vim": "Internet", "less": "Internet", "top": "load average"}
    with stand.client.terminal(stand.user, command[program]) as tty:
        tty.wait_for(shown[program])
        tty.type(quits[program])
        assert tty.wait_exit() == 0


@pytest.mark.attack
@pytest.mark.parametrize(
    "options",
    [
        ["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"],
        ["-W", "127.0.0.1:5432"],
        ["-s"],
    ],
    ids=["remote-forward", "stdio-forward", "subsystem"],
)
def test_every_other_kind_of_channel_is_refused_and_audited(
    stand: Stand, options: list[str]
) -> None:
    before = _refusals(stand)

    command = "netconf" if options == ["-s"] else None
    refused = stand.client.run(stand.user, command, options=options)

    assert refused.returncode != 0
    eventually_sync(lambda: _refusals(stand) > before, what="the audit entry")
    if options != ["-N"]:
        assert b"not available through this broker" in refused.stderr or "-R" in options


def _refusals(stand: Stand) -> int:
    return len(stand.read(lambda store: store.audit.list(action="channel.refuse")))


@pytest.mark.attack
def test_no_agent_reaches_the_target(stand: Stand) -> None:
    need("ssh-agent", "ssh-add")
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True)
    variables = dict(part.strip().split("=", 1) for part in agent.stdout.split(";") if "=" in part)
    try:
        options = ["-A", "-o", f"IdentityAgent={variables['SSH_AUTH_SOCK']}"]
        through = stand.client.run(stand.user, "echo sock=$SSH_AUTH_SOCK", options=options)
    finally:
        os.kill(int(variables["SSH_AGENT_PID"]), signal.SIGTERM)

    assert through.stdout == b"sock=\n"
