"""A process that serves a visitor has given up keys, other files, network and other processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.confinement import offered
from psm_console.credentials import make_key
from psm_console.operations import VisitOrder
from psm_console.store import Home, Store
from tests.support.processes import is_gone
from tests.support.waiting import eventually_sync

_ABI_TCP, _ABI_SCOPES = 4, 6

_TRIES = """
import json, os, socket, subprocess, sys
from pathlib import Path
from psm_console.confinement import *
from psm_console.operations.visitor_reach import visitor_reach
from psm_console.store import Home, Store

home, credential = Home(Path(sys.argv[1])), Path(sys.argv[2])
stranger = socket.create_server(("127.0.0.1", 0))
agent = socket.socket(socket.AF_UNIX)
agent.bind(str(credential.with_name("agent")))
agent.listen()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 0))
parent = os.getppid()
limit(ProcessLimits())
shed_capabilities()
confine(visitor_reach(home))
filtered = filter_calls()

def tried(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

def bell():
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.bind(str(home.run / "store~1-x.bell"))
    (home.run / "store~1-x.bell").unlink()

def audited():
    with Store.open(home) as store:
        store.audit.append(store.clock(), "test.try", "sue")

def talked(family, kind, other):
    with socket.socket(family, kind) as one:
        one.connect(other.getsockname())
        one.send(b"x")

print(json.dumps({
    "filtered": "done" if filtered else "PermissionError",
    "agent asked": tried(lambda: talked(socket.AF_UNIX, socket.SOCK_STREAM, agent)),
    "datagram sent": tried(lambda: talked(socket.AF_INET, socket.SOCK_DGRAM, datagrams)),
    "socket pair": tried(socket.socketpair),
    "host key": tried(home.host_key.read_bytes),
    "recording key": tried(home.recording_key.read_bytes),
    "keys listed": tried(lambda: list(home.keys.iterdir())),
    "credential": tried(credential.read_bytes),
    "config": tried(home.config.read_bytes),
    "shadow": tried(Path("/etc/shadow").read_bytes),
    "key removed": tried(home.host_key.unlink),
    "recording written": tried(lambda: (home.recordings / "s" / "x").write_text("x")),
    "recording removed": tried((home.recordings / "s" / "1-shell.cast").unlink),
    "file made": tried(lambda: (home.root / "x").write_text("x")),
    "parent's memory": tried(Path(f"/proc/{parent}/environ").read_bytes),
    "parent signalled": tried(lambda: os.kill(parent, 0)),
    "program run": tried(lambda: subprocess.run([sys.executable, "-c", ""])),
    "connected": tried(lambda: socket.create_connection(stranger.getsockname())),
    "listened": tried(lambda: socket.create_server(("127.0.0.1", 0))),
    "recording read": tried((home.recordings / "s" / "1-shell.cast").read_bytes),
    "signers read": tried(home.allowed_signers.read_bytes),
    "bell bound": tried(bell),
    "store written": tried(audited),
    "module loaded": tried(lambda: __import__("textual.app")),
}))
"""
_NEEDED = {
    "recording read",
    "signers read",
    "bell bound",
    "socket pair",
    "store written",
    "module loaded",
}
_NEEDS_FILTER = {"agent asked", "datagram sent"}
_NEEDS_EITHER = {"connected", "listened", "program run"}
_NEEDS_ABI = {
    "connected": _ABI_TCP,
    "listened": _ABI_TCP,
    "parent signalled": _ABI_SCOPES,
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with keys and a recording, its store open as a broker has it."""
    home = Home(tmp_path / "home")
    home.create()
    make_key(home.host_key, "host")
    make_key(home.recording_key, "recording")
    home.allowed_signers.write_text("")
    home.config.write_text("")
    (home.recordings / "s").mkdir()
    (home.recordings / "s" / "1-shell.cast").write_text("{}")
    with Store.create(home) as store:
        store.audit.append(store.clock(), "test.begin", "local")
        yield home


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-B", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.attack
def test_keys_credentials_network_and_other_processes_are_out_of_reach(home: Home) -> None:
    credential = home.root.parent / "db1.password"
    credential.write_text("hunter2")

    done = _python("-c", _TRIES, str(home.root), str(credential))
    assert done.returncode == 0, done.stderr
    tried: dict[str, str] = json.loads(done.stdout)

    abi, filtered = offered(), tried.pop("filtered") == "done"
    for name, came in tried.items():
        landlock = name not in {*_NEEDED, *_NEEDS_FILTER} and abi >= _NEEDS_ABI.get(name, 1)
        seccomp = name in {*_NEEDS_FILTER, *_NEEDS_EITHER} and filtered
        assert (came != "done") == (landlock or seccomp), (name, came, abi, filtered)


def _visitor(
    home: Home, *words: str, required: bool = True, before: str = "", broker: str = "os.getpid()"
) -> subprocess.CompletedProcess[str]:
    """Run the process of a visit as a broker does, with `before` done in it first."""
    return _python("-c", _starting(home, words, required, before, broker))


def _starting(
    home: Home, words: tuple[str, ...], required: bool, before: str, broker: str = "os.getpid()"
) -> str:
    """Return a program that starts the process of a visit and waits for it."""
    return f"""
import os, subprocess, sys
from psm_console.operations import VisitOrder
order = VisitOrder({str(home.root)!r}, "sue", {words!r}, {broker}, {required!r})
reader, writer = os.pipe()
os.write(writer, order.encode())
os.close(writer)
code = {before + chr(10) + "from psm_console.cli.visitor import main; main()"!r}
argv = [sys.executable, "-I", "-B", "-c", code, str(reader)]
sys.exit(subprocess.run(argv, pass_fds=[reader], env={{}}, cwd="/").returncode)
"""


@pytest.mark.fault
def test_the_process_of_a_visit_dies_with_whoever_started_it(home: Home) -> None:
    waiting = (
        "import os, signal, psm_console.cli.visitor as v\n"
        "def wait(*a, **k): print(os.getpid(), flush=True); signal.pause()\n"
        "v.run = wait"
    )
    argv = [sys.executable, "-I", "-B", "-c", _starting(home, ("--version",), False, waiting)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        starter.kill()

        eventually_sync(lambda: is_gone(child), what="the child's end")


@pytest.mark.fault
def test_a_process_whose_broker_is_gone_already_serves_nobody(home: Home) -> None:
    done = _visitor(home, "--version", required=False, broker="1")

    assert (done.returncode, done.stdout) == (1, "")
    assert "whoever started this process is gone" in done.stderr


def test_a_kernel_without_landlock_serves_visitors_unless_the_policy_forbids_it(home: Home) -> None:
    without = "import psm_console.cli.visitor as v; v.confine = lambda reach: 0"

    allowed = _visitor(home, "--version", required=False, before=without)
    refused = _visitor(home, "--version", required=True, before=without)

    assert allowed.returncode == 0, allowed.stderr
    assert refused.returncode == 1
    assert "this kernel has no Landlock, and the policy wants it" in refused.stderr


@pytest.mark.attack
def test_a_confinement_that_leaves_keys_open_serves_nobody(home: Home) -> None:
    leaky = "import psm_console.cli.visitor as v; v.confine = lambda reach: 7"

    done = _visitor(home, "--version", before=leaky)

    assert done.returncode == 1
    assert "the broker's keys can be read from here" in done.stderr
    assert done.stdout == ""


@pytest.mark.attack
def test_a_confinement_that_fails_serves_nobody(home: Home) -> None:
    failing = (
        "import psm_console.cli.visitor as v\n"
        "def confine(reach): raise v.ConfinementError('Landlock refused: no')\n"
        "v.confine = confine"
    )

    done = _visitor(home, "--version", required=False, before=failing)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Landlock refused: no" in done.stderr


@pytest.mark.attack
def test_what_the_broker_would_not_let_through_the_process_refuses_too(home: Home) -> None:
    for words in (("serve",), ("--home", "/", "session", "ls")):
        done = _visitor(home, *words, required=False)

        assert done.returncode == 4, done.stderr
        assert "can not be done over ssh" in done.stderr


def test_an_order_is_what_it_was_when_it_arrives() -> None:
    order = VisitOrder("/h", "sue", ("session", "ls", "ä'\x00"), 7, True)

    assert VisitOrder.decode(order.encode()) == order
    with pytest.raises(ValueError):
        VisitOrder.decode(b'{"home": 3}')
