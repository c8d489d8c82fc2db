"""Every way to ask for something meets the same gate: by protocol, never by a command's name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
import pytest
from asyncssh.packet import String, UInt32

from psm_console.domain.inventory import Inventory
from psm_console.domain.names import GrantId
from psm_console.domain.session import Outcome, Verb
from psm_console.domain.timers import Limit
from tests.support.openssh import environment
from tests.support.peer import Peer, echo
from tests.support.tools import need
from tests.support.waiting import eventually, eventually_sync

from .stand import Stand
from .test_hostile_target import evil_target
from .test_smuggling import connected

pytestmark = pytest.mark.attack


def refusals(stand: Stand) -> list[str]:
    """What the audit log says was refused, the oldest first."""
    found = stand.read(lambda store: store.audit.list(action="channel.refuse", limit=1000))
    return [str(entry.detail) for entry in sorted(found, key=lambda entry: entry.id)]


def forgive(stand: Stand) -> None:
    """Give a new ration of audit entries to who was refused so much by the tests before."""
    stand.broker.ask(stand.broker.running.worker.refusals._known.clear)


@contextlib.contextmanager
def audited(stand: Stand, *words: str) -> Iterator[None]:
    """Inside the block something is refused, and the audit log says so in these words."""
    forgive(stand)
    before = len(refusals(stand))
    yield
    eventually_sync(
        lambda: any(all(w in one for w in words) for one in refusals(stand)[before:]),
        what=f"an audit entry with {words}",
    )


# What is off by default: A10


@dataclass(frozen=True)
class Flag:
    """An option of ssh that asks for a forward, and what the audit log says of it."""

    options: tuple[str, ...]
    words: str
    connects: bool = False
    """Whether the client asks only once somebody connects to it."""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _flags(folder: Path, here: int, there: int) -> dict[str, Flag]:
    strict = ("-o", "ExitOnForwardFailure=yes")
    local = f"127.0.0.1:{here}"
    return {
        "-L": Flag(("-N", "-L", f"{local}:127.0.0.1:{there}"), f"to 127.0.0.1:{there}", True),
        "-D": Flag(("-N", "-D", local), f"to 127.0.0.1:{there}", True),
        "-W": Flag(("-W", f"127.0.0.1:{there}"), f"to 127.0.0.1:{there}"),
        "-R": Flag((*strict, "-N", "-R", f"0:127.0.0.1:{there}"), "remote port forwarding"),
        "-R dynamic": Flag((*strict, "-N", "-R", "0"), "remote port forwarding"),
        "-L socket": Flag(("-N", "-L", f"{local}:{folder}/there"), f"to {folder}/there", True),
        "-R socket": Flag((*strict, "-N", "-R", f"{folder}/x:{folder}/y"), "remote socket"),
        "-Y": Flag(("-Y",), "X11 forwarding"),
        "-A": Flag(("-A",), "agent forwarding"),
    }


@pytest.mark.parametrize(
    "name", ["-L", "-D", "-W", "-R", "-R dynamic", "-L socket", "-R socket", "-Y", "-A"]
)
def test_a_forward_of_any_kind_is_refused_and_audited(
    stand: Stand, tmp_path: Path, name: str
) -> None:
    need("ssh-agent")
    here = _free_port()
    with Peer(echo) as there, _agent() as agent:
        flag = _flags(tmp_path, here, there.port)[name]
        command = ["echo $DISPLAY $SSH_AUTH_SOCK"] if "-N" not in flag.options else []
        argv = stand.client.argv(
            stand.user, *([] if name == "-W" else command), options=flag.options
        )
        with audited(stand, flag.words):
            client = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment() | {"DISPLAY": ":99", "SSH_AUTH_SOCK": agent},
            )
            try:
                if flag.connects:
                    _knock(here, there.port, socks=name == "-D")
                else:
                    said, _ = client.communicate(timeout=30)
                    assert said.strip() == b""
            finally:
                client.kill()
                client.communicate()
        assert there.connections == 0


def _knock(here: int, there: int, *, socks: bool) -> None:
    """Connect to where ssh listens, and find that nothing is behind it."""

    def connect() -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", here), timeout=20)
        except OSError:
            return None

    connection = eventually_sync(connect, what="ssh to listen")
    assert connection is not None
    with connection, contextlib.suppress(ConnectionResetError):
        if socks:
            asked = b"\4\1" + there.to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + b"\0"
            connection.sendall(asked)
            assert connection.recv(8)[1:2] != b"\x5a"
        else:
            connection.sendall(b"x")
            assert connection.recv(1) == b""


@contextlib.contextmanager
def _agent() -> Iterator[str]:
    """The socket of an agent of ours."""
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    found = dict(part.strip().split("=", 1) for part in said.split(";") if "=" in part)
    try:
        yield found["SSH_AUTH_SOCK"]
    finally:
        os.kill(int(found["SSH_AGENT_PID"]), signal.SIGTERM)


@pytest.mark.parametrize("mode", [1, 2], ids=["-w tun", "-w tap"])
async def test_a_tunnel_is_refused_and_audited(stand: Stand, mode: int) -> None:
    """What `ssh -w` sends; the client itself would need a device of its own."""
    await asyncio.to_thread(forgive, stand)
    before = len(refusals(stand))
    async with connected(stand) as connection:
        channel = asyncssh.channel.SSHTCPChannel(
            connection, connection._loop, None, "strict", 1 << 20, 1 << 15
        )
        with pytest.raises(asyncssh.ChannelOpenError, match="not available"):
            await channel._open(b"tun@openssh.com", UInt32(mode), UInt32(0))
    await eventually(lambda: any("tunnelling" in one for one in refusals(stand)[before:]))


# One gate for all: A11


KINDS = ["exec", "terminal", "shell", "sftp", "scp", "scp -O", "rsync", "git", "forward"]


def _try(stand: Stand, kind: str, through: Sequence[str], folder: Path) -> tuple[int, bytes]:
    """Ask for a channel of `kind` that would leave a file in `folder`; status and what was said."""
    made, given = folder / "made", folder / "given"
    given.write_text("x")
    ssh = stand.client.argv(stand.user, options=through)[:-3]
    at = f"{stand.user}@127.0.0.1"
    ssh_line = shlex.join(ssh)
    copy = [*ssh[1:], str(given), f"{at}:{made}"]
    copy[copy.index("-p")] = "-P"
    argv: dict[str, list[str]] = {
        "exec": stand.client.argv(stand.user, f"touch {made}", options=through),
        "terminal": stand.client.argv(stand.user, f"touch {made}", options=["-tt", *through]),
        "shell": stand.client.argv(stand.user, options=through),
        "sftp": ["sftp", "-b", "-", *copy[:-2], at],
        "scp": ["scp", *copy],
        "scp -O": ["scp", "-O", *copy],
        "rsync": ["rsync", "-e", ssh_line, str(given), f"{at}:{made}"],
        "git": ["git", "init", "-q", str(made)],
        "forward": stand.client.argv(stand.user, options=["-W", "127.0.0.1:9", *through]),
    }
    if kind == "git":
        argv["git"] = ["git", "ls-remote", f"{at}:{folder}/x.git"]
    typed = {"shell": f"touch {made}\n", "sftp": f"put {given} {made}\n"}.get(kind, "")
    done = subprocess.run(
        argv[kind],
        input=typed.encode(),
        capture_output=True,
        timeout=60,
        env=environment() | {"GIT_SSH_COMMAND": ssh_line, "GIT_TERMINAL_PROMPT": "0"},
    )
    assert not made.exists(), f"{kind} passed"
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_while_paused_no_channel_opens(stand: Stand, tmp_path: Path, kind: str) -> None:
    _allow(stand, "127.0.0.1:9")
    with stand.client.master(stand.user) as through:
        first = stand.popen("cat", options=through)
        session = stand.session()
        eventually_sync(lambda: stand.session().channels, what="the first channel")
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        with audited(stand, "paused by sue"):
            status, _ = _try(stand, kind, through, tmp_path)
        assert status != 0
        assert len(stand.session().channels) == 1
        first.kill()


@pytest.mark.parametrize("kind", KINDS)
def test_past_the_cap_no_channel_opens(crowded: Stand, tmp_path: Path, kind: str) -> None:
    _allow(crowded, "127.0.0.1:9")
    with crowded.client.master(crowded.user) as through:
        first = crowded.popen("cat", options=through)
        eventually_sync(lambda: crowded.session().channels, what="the first channel")
        with audited(crowded, "that is the limit"):
            status, _ = _try(crowded, kind, through, tmp_path)
        assert status != 0
        first.kill()


@pytest.fixture(scope="module")
def crowded_stand() -> Iterator[Stand]:
    with Stand(config="[limits]\nchannels = 1\n") as stand:
        yield stand


@pytest.fixture
def crowded(crowded_stand: Stand) -> Iterator[Stand]:
    yield crowded_stand
    crowded_stand.tidy()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_grant_no_channel_opens(stand: Stand, tmp_path: Path, kind: str) -> None:
    _allow(stand, "127.0.0.1:9")
    stand.apply(replace(_inventory(stand, "127.0.0.1:9"), grants=()))
    before = len(stand.sessions(live_only=False))
    try:
        status, said = _try(stand, kind, (), tmp_path)
    finally:
        stand.apply(stand.inventory())
    assert status != 0 and b"grant" in said
    assert len(stand.sessions(live_only=False)) == before


def test_a_connection_without_a_channel_is_no_session_and_leaves_nothing(stand: Stand) -> None:
    before = len(stand.sessions(live_only=False))
    with stand.client.master(stand.user):
        assert len(stand.sessions(live_only=False)) == before


def _inventory(stand: Stand, *forwards: str) -> Inventory:
    inventory = stand.inventory()
    target = replace(inventory.targets["db1"], forwards=forwards)
    return replace(inventory, targets={"db1": target})


def _allow(stand: Stand, *forwards: str) -> None:
    stand.apply(_inventory(stand, *forwards))


# The operator's agent: A13


def test_an_agent_can_not_be_asked_from_the_target(stand: Stand) -> None:
    need("ssh-agent", "ssh-add")
    with _agent() as agent, audited(stand, "agent forwarding"):
        argv = stand.client.argv(stand.user, "ssh-add -l; env", options=["-A"])
        done = subprocess.run(
            argv, capture_output=True, env=environment() | {"SSH_AUTH_SOCK": agent}, timeout=30
        )
    assert b"Could not open a connection" in done.stderr
    assert b"SSH_AUTH_SOCK" not in done.stdout


async def test_a_target_that_opens_channels_of_its_own_is_refused(stand: Stand) -> None:
    answers: list[str] = []

    def act(channel: asyncssh.SSHServerChannel[bytes]) -> None:
        connection = channel.get_connection()

        async def ask() -> None:
            asked = [
                (b"auth-agent@openssh.com", ()),
                (b"x11", (String("127.0.0.1"), UInt32(1))),
                (b"forwarded-tcpip", (String("h"), UInt32(1), String("h"), UInt32(2))),
                (b"session", ()),
                (b"direct-tcpip", (String("h"), UInt32(22), String("h"), UInt32(2))),
            ]
            for kind, rest in asked:
                opened = asyncssh.channel.SSHTCPChannel(
                    connection, connection._loop, None, "strict", 1 << 20, 1 << 15
                )
                try:
                    await opened._open(kind, *rest)
                    answers.append(f"{kind!r} opened")
                except asyncssh.ChannelOpenError:
                    answers.append("refused")
            channel.exit(0)

        connection.create_task(ask())

    async with evil_target(stand, act), connected(stand) as connection:
        done = await connection.run("x")
    assert done.exit_status == 0 and answers == ["refused"] * 5


# The environment: A15


def test_only_harmless_variables_reach_the_target(stand: Stand) -> None:
    hostile = {
        "LD_PRELOAD": "/tmp/x.so",
        "LD_LIBRARY_PATH": "/tmp",
        "BASH_ENV": "/tmp/x",
        "ENV": "/tmp/x",
        "PROMPT_COMMAND": "id",
        "PATH": "/tmp",
        "IFS": "x",
        "PS1": "x",
        "LCX": "x",
        "LANGUAGE": "x",
    }
    wanted = {"LC_TIME": "C", "LANG": "C"}
    options = ["-o", "SetEnv=" + " ".join(f"{k}={v}" for k, v in (hostile | wanted).items())]
    done = stand.client.run(stand.user, "env", options=options)
    found = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
    assert {name: found[name] for name in wanted} == wanted
    assert not {name for name, value in hostile.items() if found.get(name) == value}


async def test_ten_thousand_variables_do_no_harm(stand: Stand) -> None:
    many = {f"LC_{number}": "x" * 100 for number in range(10_000)} | {"LANG": "C"}
    async with connected(stand) as connection:
        done = await connection.run("env | grep -c ^LC_; echo up", env=many)
    count, up = str(done.stdout).split()
    assert int(count) <= 64 and up == "up"


# A connection that outlives its right: A16


def test_after_the_grant_expired_no_channel_opens_in_an_old_connection(stand: Stand) -> None:
    inventory = stand.inventory()
    later = datetime.now(UTC) + timedelta(hours=1)
    grant = replace(inventory.grants[0], id=GrantId("g-soon"), expires_at=later)
    stand.apply(replace(inventory, grants=(grant,)))
    # Only the old connection will do: a new one would be asked again anyway.
    through_it = ["-o", "ProxyCommand=false"]
    try:
        with stand.client.master(stand.user) as through:
            done = stand.client.run(stand.user, "echo one", options=[*through, *through_it])
            assert done.stdout == b"one\n"
            driver = stand.broker.running.worker.sessions[stand.session().id]

            def expire() -> None:
                driver.live._timers._ends[Limit.GRANT] = driver.at()
                driver._set_alarm()

            stand.broker.ask(expire)
            ended = stand.last()
            late = stand.client.run(stand.user, "echo two", options=[*through, *through_it])
    finally:
        stand.apply(inventory)
    assert ended.end_reason == "the grant has expired"
    assert late.returncode != 0 and late.stdout == b""
    assert stand.last().id == ended.id and len(stand.last().channels) == 1


async def test_after_a_terminate_no_channel_opens_in_an_old_connection(stand: Stand) -> None:
    """The client does not close: it asks as fast as it can until it is cut."""
    async with connected(stand) as connection:
        process = await connection.create_process("echo up; cat")
        assert await process.stdout.readline() == "up\n"
        session = await asyncio.to_thread(stand.session)
        given = stand.give(session, Verb.TERMINATE, reason="enough")
        asking = asyncio.create_task(_ask_until_cut(connection))
        answer = await asyncio.to_thread(stand.answer, given)
        with pytest.raises((OSError, asyncssh.Error)):
            await connection.run("echo late", check=True, timeout=20)
        await asking
    assert answer.outcome is Outcome.DONE
    ended = await asyncio.to_thread(stand.last)
    assert ended.id == session.id and ended.ended_at is not None
    for channel in ended.channels:
        assert channel.closed_at is not None and channel.opened_at < ended.ended_at


async def _ask_until_cut(connection: asyncssh.SSHClientConnection) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while True:
            await connection.run("echo ran", check=True, timeout=20)
