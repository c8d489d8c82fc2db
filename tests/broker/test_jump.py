"""`ssh -J broker root@db1` ends in the broker: a session of its own, inside another connection."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from psm_console.domain.session import Outcome, Verb
from tests.support.openssh import environment
from tests.support.tools import find_tool, need
from tests.support.waiting import eventually_sync

from .jumper import Jumper
from .stand import Stand


def test_a_jump_is_a_session_like_any_other_and_the_outer_connection_is_none(
    stand: Stand, jumper: Jumper
) -> None:
    before = len(stand.sessions(live_only=False))

    done = jumper.run(jumper.at, "echo out; echo err >&2; exit 3")

    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert b"err\n" in done.stderr
    session = stand.last()
    assert len(stand.sessions(live_only=False)) == before + 1
    assert (session.operator, session.account, session.grant) == ("ana", stand.ref, "g-ana")
    assert session.client.startswith("127.0.0.1:") and session.client.endswith("inside a jump")
    assert session.end_reason == "the operator closed the connection"
    assert '"out\\r\\n"' in stand.recorded(session) or '"out\\n"' in stand.recorded(session)


def test_a_signal_and_a_lost_status_are_what_they_are_without_the_broker(jumper: Jumper) -> None:
    direct = jumper.stand.direct.run(jumper.stand.sshd.user, "kill -TERM $$")

    assert jumper.run(jumper.at, "kill -TERM $$").returncode == direct.returncode == 255
    assert jumper.run(jumper.at, "exit 254").returncode == 254


def test_bytes_pass_exactly_both_ways_and_the_end_of_input_is_told(jumper: Jumper) -> None:
    sent = os.urandom(3 << 20)

    done = jumper.run(jumper.at, "cat", stdin=sent)

    assert done.returncode == 0
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(sent).digest()


@pytest.mark.parametrize("program", ["scp", "sftp", "rsync"])
def test_programs_that_know_nothing_of_the_broker_copy_through_a_jump(
    jumper: Jumper, tmp_path: Path, program: str
) -> None:
    need(program)
    data = os.urandom(1 << 20)
    here, there, back = (tmp_path / name for name in ("here", "there", "back"))
    here.write_bytes(data)
    far = f"{jumper.at}:{there}"
    match program:
        case "scp":
            copies = [jumper.argv(here, far, program="scp"), jumper.argv(far, back, program="scp")]
        case "sftp":
            (tmp_path / "batch").write_text(f"put {here} {there}\nget {there} {back}\n")
            copies = [jumper.argv("-b", tmp_path / "batch", jumper.at, program="sftp")]
        case _:
            shell = ["rsync", "-e", " ".join(jumper.argv())]
            copies = [[*shell, str(here), far], [*shell, far, str(back)]]
    for copy in copies:
        _run(copy)
    assert back.read_bytes() == data


def test_git_clones_and_pushes_through_a_jump(jumper: Jumper, tmp_path: Path) -> None:
    need("git")
    env = {"GIT_SSH_COMMAND": " ".join(jumper.argv()), "HOME": str(tmp_path)}
    bare, copy = tmp_path / "bare", tmp_path / "copy"
    _run(["git", "init", "-q", "--bare", str(bare)], env)
    _run(["git", "clone", "-q", f"{jumper.at}:{bare}", str(copy)], env)
    (copy / "file").write_bytes(os.urandom(1 << 20))
    _run(["git", "-C", str(copy), "add", "file"], env)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    _run(["git", "-C", str(copy), *who, "commit", "-qm", "one"], env)
    _run(["git", "-C", str(copy), "push", "-q", "origin", "HEAD"], env)

    assert _run(["git", "-C", str(bare), "log", "--all", "--format=%s"], env) == b"one\n"


def test_dropbear_which_knows_no_certificates_jumps(jumper: Jumper) -> None:
    need("dbclient", "dropbearconvert")
    program, key = find_tool("dbclient"), str(jumper.folder / "dropbear_key")
    _run(["dropbearconvert", "openssh", "dropbear", str(jumper.stand.client.key), key])
    hops = f"ana@127.0.0.1^{jumper.stand.client.port},{jumper.at}"

    assert _run([str(program), "-y", "-y", "-i", key, hops, "echo in"]) == b"in\n"


def test_a_forward_that_the_inventory_lists_works_inside_a_jump(
    stand: Stand, jumper: Jumper
) -> None:
    inventory = stand.inventory()
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        target = replace(inventory.targets["db1"], forwards=(place,))
        stand.apply(replace(inventory, targets={"db1": target}))
        process = jumper.popen("-W", place, jumper.at)
        server.settimeout(20)
        served, _ = server.accept()
        with served:
            served.sendall(b"hello\n")
            assert process.stdout and process.stdout.readline() == b"hello\n"
            assert stand.session().client.endswith("inside a jump")


def _run(argv: list[str], env: dict[str, str] | None = None) -> bytes:
    done = subprocess.run(
        argv, capture_output=True, timeout=60, env=environment() | (env or {}), check=False
    )
    assert done.returncode == 0, (argv, done.stderr[-800:])
    return done.stdout


def test_several_channels_share_one_inner_connection_and_are_one_session(
    stand: Stand, jumper: Jumper
) -> None:
    shared = ["-o", "ControlMaster=yes", "-o", f"ControlPath={jumper.folder}/inner", "-fN"]
    subprocess.run(jumper.argv(*shared, jumper.at), check=True, timeout=30, env=environment())
    try:
        through = ["-o", f"ControlPath={jumper.folder}/inner"]
        for number in (5, 6):
            assert jumper.run(*through, jumper.at, f"exit {number}").returncode == number
        (session,) = stand.sessions()
        eventually_sync(
            lambda: [channel.exit for channel in stand.session().channels] == ["5", "6"],
            what="both exits in the row",
        )
        assert stand.session().id == session.id
    finally:
        jumper.run("-o", f"ControlPath={jumper.folder}/inner", "-O", "exit", jumper.at)


def test_one_outer_connection_carries_several_sessions_each_ended_alone(
    stand: Stand, jumper: Jumper
) -> None:
    subprocess.run(
        jumper.argv("-o", "ControlMaster=yes", "-fN", "psm"),
        check=True,
        timeout=30,
        env=environment(),
    )
    try:
        first = jumper.popen(jumper.at, "echo up; cat")
        assert first.stdout and first.stdout.readline() == b"up\n"
        one = stand.session()
        second = jumper.popen(jumper.at, "echo up; cat")
        assert second.stdout and second.stdin and second.stdout.readline() == b"up\n"

        receipt = stand.order(one, Verb.TERMINATE, reason="enough")

        assert receipt.outcome is Outcome.DONE
        assert first.wait(10) == 254
        assert first.stderr and b"session ended by sue: enough" in first.stderr.read()
        second.stdin.write(b"still here\n")
        second.stdin.flush()
        assert second.stdout.readline() == b"still here\n"
        assert len(stand.sessions()) == 1
    finally:
        jumper.run("-O", "exit", "psm")


def test_an_inner_session_ends_when_the_outer_connection_dies(stand: Stand, jumper: Jumper) -> None:
    process = jumper.popen(jumper.at, "echo up; cat")
    assert process.stdout and process.stdout.readline() == b"up\n"
    (session,) = stand.sessions()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    for child in children:  # the outer ssh, a child of the inner
        os.kill(int(child), signal.SIGKILL)

    assert children
    assert process.wait(10) == 255
    assert stand.last().id == session.id


def test_a_jump_obeys_pause_resume_and_warn_at_a_terminal(stand: Stand, jumper: Jumper) -> None:
    with jumper.terminal("-tt", jumper.at, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()
        assert stand.order(session, Verb.WARN, text="careful").outcome is Outcome.DONE
        tty.wait_for("careful")
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        tty.type("lost\r")
        eventually_sync(
            lambda: (
                stand.broker.ask(
                    lambda: (
                        stand.broker.running.worker.sessions[session.id].relays[1].input.discarded
                    )
                )
                >= 5
            ),
            what="what was typed to be discarded",
        )
        assert stand.order(session, Verb.RESUME, "kim").outcome is Outcome.DONE
        seen = len(tty.output)
        tty.type("kept\r")
        tty.wait_for("kept", after=seen)
        assert b"lost" not in tty.output
        assert stand.order(session, Verb.TERMINATE, reason="done").outcome is Outcome.DONE
        tty.wait_for("session ended by sue: done")
        assert tty.wait_exit() == 254
