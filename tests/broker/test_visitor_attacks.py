"""What a visitor may not: the machine's files, other programs, another name, a key."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.broker.visit import visitors
from psm_console.confinement import offered
from psm_console.domain.inventory import PasswordFile
from psm_console.domain.policy import ConsolePolicy
from tests.support.openssh import environment
from tests.support.processes import environment_of
from tests.support.waiting import eventually_sync

from .visiting import House

pytestmark = pytest.mark.attack


@pytest.fixture(scope="module")
def shared_house() -> Iterator[House]:
    """A broker, started once for the module."""
    with House() as running:
        yield running


@pytest.fixture
def house(shared_house: House) -> Iterator[House]:
    """The module's broker, with nobody in it."""
    yield shared_house
    shared_house.tidy()
    shared_house.nobody_left()


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "serve",
        "demo",
        "apply /etc/passwd",
        "recording export x /tmp/y",
        "recording import x",
        "psm --home /tmp session ls",
        "psm --as local session ls",
        "session ls --home /tmp",
        "console --as local",
        "sh -c id",
        "/bin/sh",
        "session ls; id",
        "'session ls'",
        "scp -t /tmp",
        "rsync --server . /tmp",
        "psm psm session ls",
        "\x1b]52;c;aGk=\x07",
    ],
)
def test_only_what_is_on_the_list_is_done(house: House, command: str) -> None:
    done = house.visit(command)

    assert done.returncode in (2, 4), (done.returncode, done.stdout, done.stderr)
    assert done.stdout == b""
    assert b"\x1b" not in done.stderr and b"\x07" not in done.stderr
    assert b"can not be done over ssh" in done.stderr or b"psm: No such option" in done.stderr


@pytest.mark.parametrize(
    "command",
    ["recording verify /etc/passwd", "recording screen ../../keys --at 1", "recording play ./x"],
)
def test_a_file_of_the_brokers_machine_can_not_be_named(house: House, command: str) -> None:
    done = house.visit(command)

    assert done.returncode == 4
    assert b"over ssh a recording is named by its id" in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("session show 'x", b"no closing quotation"),
        ("session show " + "x" * 9000, b"the command is longer than 8192 bytes"),
    ],
)
def test_what_can_not_be_read_is_refused_in_a_sentence(
    house: House, command: str, said: bytes
) -> None:
    done = house.visit(command)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_command_of_any_bytes_is_answered_in_visible_words(house: House) -> None:
    argv = [os.fsencode(word) for word in house.client.argv("sue")]

    def asked(command: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*argv, command], capture_output=True, timeout=60, env=environment())

    latin, hidden = asked(b"session show \xff"), asked(b"session show \xc2\x9b31m\xe2\x80\xae")

    assert latin.returncode == 2 and b"the command is not UTF-8" in latin.stderr
    assert hidden.returncode == 3 and b"no session has the id \\x9b31m\\u202e" in hidden.stderr


def test_the_way_past_the_store_is_closed_to_visitors(house: House) -> None:
    house.popen("cat")
    session = house.session()

    done = house.visit(f"session terminate {session.id} --reason x --direct")

    assert done.returncode == 4
    assert b"over ssh the store decides" in done.stderr
    assert house.session().id == session.id


def test_a_refusal_is_in_the_audit_log_and_no_visit_is(house: House) -> None:
    opened = len(house.noted("console.open"))

    house.visit("apply /etc/shadow", user="pat")

    refused = eventually_sync(lambda: house.noted("console.refuse", "pat"), what="the refusal")
    assert "'apply /etc/shadow' can not be done over ssh" in str(refused[-1].detail)
    assert len(house.noted("console.open")) == opened


def test_a_subsystem_is_refused_in_a_sentence(house: House) -> None:
    done = house.client.run("sue", "sftp", options=["-s"])

    assert done.returncode == 1
    assert b"there is no sftp here, only a console" in done.stderr


@pytest.mark.parametrize(
    "options", [("-W", "127.0.0.1:22"), ("-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:x:1")]
)
def test_a_visitor_forwards_nothing(house: House, options: tuple[str, ...]) -> None:
    # Not sue: what she was refused so far has used up what is noted of her at once.
    before = len(house.noted("channel.refuse", "pat"))

    done = house.client.run("pat", options=options)

    assert done.returncode == 255
    eventually_sync(
        lambda: len(house.noted("channel.refuse", "pat")) > before, what="the refusal in the log"
    )


def test_a_visitor_sets_only_locale_and_terminal(house: House) -> None:
    hostile = {
        "LD_PRELOAD": "/tmp/x.so",
        "PYTHONPATH": "/tmp",
        "PYTHONSTARTUP": "/tmp/x",
        "TEXTUAL_DRIVER": "os:system",
        "PSM_HOME": "/tmp",
        "PSM_DEBUG": "1",
        "HOME": "/root",
        "LC_ALL": "../../tmp",
        "LC_TIME": "C.UTF-8",
        "LANG": "C.UTF-8",
        "COLORTERM": "truecolor",
    }
    setting = " ".join(f"{name}={value}" for name, value in hostile.items())
    with house.client.terminal("sue", options=["-o", f"SetEnv={setting}"]) as terminal:
        terminal.wait_for("Live")
        if not os.access(f"/proc/{house.child()}/environ", os.R_OK):
            return  # the process is closed to its own user as well; only root may look
        given = environment_of(house.child())

    assert given == {
        "HOME": "/",
        "LC_TIME": "C.UTF-8",
        "LANG": "C.UTF-8",
        "COLORTERM": "truecolor",
        "TERM": "xterm-256color",
    }


def test_the_process_has_no_privilege_no_inheritance_and_leaves_no_core(house: House) -> None:
    with house.client.terminal("sue") as terminal:
        terminal.wait_for("Live")
        process = house.child()
        status = Path(f"/proc/{process}/status").read_text()
        limits = Path(f"/proc/{process}/limits").read_text()
        command = Path(f"/proc/{process}/cmdline").read_bytes()

    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    if offered():
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
    if os.uname().machine in ("x86_64", "aarch64"):
        assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
    assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.MULTILINE)
    assert re.search(r"^Max open files\s+256\s+256\s", limits, re.MULTILINE)
    assert b"sue" not in command, "who it is for could be confused with what they typed"


def test_what_a_session_prints_never_reaches_the_visitors_terminal(house: House) -> None:
    hostile = (
        r"printf 's%s\033]52;c;aGFjaw==\007\033]0;hack%s\007\033P+q544e\033\\\033[c\033[6n' een ed"
    )
    house.popen(f"{hostile}; cat", options=["-tt"])
    session = house.session()
    eventually_sync(lambda: "seen" in house.recorded(session), what="the output")

    with house.client.terminal("sue", columns=100, rows=30) as terminal:
        terminal.wait_for("active")
        terminal.type("\r")
        terminal.wait_for("seen")
        terminal.type("q")
        terminal.wait_exit()

    for forbidden in ("\x1b]52", "\x1b]0;", "hacked", "\x1bP+q", "\x1b[6n"):
        assert forbidden not in terminal.text


def test_a_kernel_without_landlock_is_told_and_can_be_ruled_out(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("psm_console.broker.visit.visitors.offered", lambda: 0)
    with house.console_policy(ConsolePolicy(require_confinement=True)):
        refused = house.visit("session ls")
    house.broker.ask(lambda: visitors.Visitors(house.broker.running.worker))

    assert refused.returncode == 255
    assert b"this kernel has no Landlock" in refused.stderr
    assert visitors.UNCONFINED in caplog.text


def test_nobody_visits_while_a_credential_lies_in_reach(house: House) -> None:
    before = house.inventory()
    within = PasswordFile(str(house.home.recordings / "password"))
    account = dataclasses.replace(before.accounts[house.ref], credential=within)
    house.apply(dataclasses.replace(before, accounts={house.ref: account}))

    done = house.visit("session ls")
    house.apply(before)

    if offered():
        assert done.returncode == 255
        assert b"secrets lie where a console over ssh could read them" in done.stderr
    assert house.visit("session ls").returncode == 0


@pytest.mark.fault
def test_nobody_visits_while_it_can_not_be_noted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "open_visit", _broken)

    done = house.visit("session ls")

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"who visits can not be noted at the moment" in done.stderr


def _broken(*arguments: object, **options: object) -> None:
    from psm_console.store import StoreError

    raise StoreError("the disk is full")
