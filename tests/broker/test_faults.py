"""What breaks under a session, and what the operator, the store and the recording say then."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.domain.session import SessionState
from psm_console.store import Store
from tests.support.tools import skip_or_fail
from tests.support.waiting import eventually_sync

from .stand import Stand

pytestmark = pytest.mark.fault


def breaking(stand: Stand, method: str) -> None:
    """Make the next call of one recorder method raise, as a full disk does."""

    def install() -> None:
        driver = next(iter(stand.broker.running.worker.sessions.values()))
        recorder = driver.relays[1].channel.recorder

        def fail(*arguments: object, **rest: object) -> None:
            raise OSError(28, "No space left on device")

        class Broken:
            def __getattr__(self, name: str) -> object:
                return fail if name == method else getattr(recorder, name)

        driver.relays[1].channel.recorder = Broken()  # type: ignore[assignment]

    stand.broker.ask(install)


@pytest.mark.parametrize("method", ["output", "input"])
def test_nothing_passes_that_the_recorder_refused_and_the_session_ends(
    stand: Stand, method: str
) -> None:
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        session = stand.session()
        breaking(stand, method)

        tty.type("SECRET\n")

        assert tty.wait_exit(5) == 254
        assert "the recording failed" in tty.text and "SECRET" not in tty.text
    ended = stand.last()
    assert ended.id == session.id and ended.end_reason == "the recording failed"
    actions = [e.action for e in stand.read(lambda s: s.audit.list(session=session.id))]
    assert "recording.fail" in actions


def test_a_target_that_dies_is_named_to_the_operator(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "echo ready; cat") as tty:
        tty.wait_for("ready")
        stand.sshd.stop()
        try:
            tty.wait_exit(5)
            assert "target" in tty.text
        finally:
            stand.sshd.start()
    assert "target" in (stand.last().end_reason or "")


def test_a_slow_client_holds_its_own_target_and_nobody_elses(stand: Stand) -> None:
    slow = stand.popen("yes")

    def pressed() -> bool:
        def held() -> bool:
            return any(
                relay.output.valve._reasons
                for driver in stand.broker.running.worker.sessions.values()
                for relay in driver.relays.values()
            )

        return stand.broker.ask(held)

    eventually_sync(pressed, what="back-pressure")

    assert stand.client.run(stand.user, "echo quick").stdout == b"quick\n"
    assert slow.poll() is None


def test_a_locked_store_leaves_live_sessions_alone_and_refuses_new_ones(stand: Stand) -> None:
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        with Store.open(stand.home) as store:
            store._connection.raw.execute("BEGIN EXCLUSIVE")
            for n in range(5):
                tty.type(f"line {n}\n")
                tty.wait_for(f"line {n}", within_s=2)
            refused = stand.client.run(stand.user, "id")
            store._connection.raw.execute("ROLLBACK")
        assert refused.returncode == 255 and refused.stdout == b""
        assert b"can not be recorded at the moment" in refused.stderr
        tty.type(b"\x04")
        assert tty.wait_exit() == 0


SERVE = """
import asyncio, json, sys
from pathlib import Path
from psm_console.broker import Serving
from psm_console.broker import serve
from psm_console.store import Home

def ready(said):
    print(json.dumps(said), flush=True)

sys.exit(asyncio.run(serve(Home(Path(sys.argv[1])), Serving(sys.argv[2]), ready)))
"""


def kill_broker(broker: subprocess.Popen[bytes]) -> None:
    """`kill -9` the supervisor and its workers at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(broker.pid, signal.SIGKILL)


def start_broker(home: Path, listen: str, file_limit: int = 0) -> subprocess.Popen[bytes]:
    def limit() -> None:
        if file_limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home), listen],
        stdout=subprocess.PIPE,
        preexec_fn=limit,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline().startswith(b"{")
    return process


def test_every_byte_a_client_got_before_a_kill_9_is_in_the_recording(stand: Stand) -> None:
    stand.tidy()
    listen = "127.0.0.1:0"
    broker = start_broker(stand.home.root, listen)
    own_port = stand.client.port
    try:
        with Store.open(stand.home) as store:
            worker = store.workers.list()[-1]
        stand.client.port = worker.port
        stand.client.trust((stand.home.root / "keys" / "host_key.pub").read_text().strip())
        flood = stand.popen("seq 1 100000000")
        assert flood.stdout is not None
        got = flood.stdout.read(1 << 20)
        session = stand.session()
        kill_broker(broker)
        broker.wait()
        got += flood.stdout.read()
    finally:
        kill_broker(broker)
        broker.wait()
        if broker.stdout:
            broker.stdout.close()
        stand.client.port = own_port
        stand.client.trust((stand.home.root / "keys" / "host_key.pub").read_text().strip())

    recorded = decoded(stand.recording(session) / "1-exec.cast")
    assert recorded.startswith(got)
    lost = eventually_sync(
        lambda: next((s for s in stand.sessions(live_only=False) if s.id == session.id), None),
    )
    assert lost is not None and lost.state is SessionState.LOST
    # A new broker starts, takes the old one's leavings over, and serves.
    again = start_broker(stand.home.root, listen)
    again.send_signal(signal.SIGTERM)
    assert again.wait(15) == 0
    if again.stdout:
        again.stdout.close()
    audited = stand.read(lambda store: store.audit.list(action="session.lost"))
    assert session.id in [entry.session for entry in audited]


def decoded(cast: Path) -> bytes:
    from psm_console.recording.reader import Tail

    out = bytearray()
    tail = Tail(cast)
    while events := tail.read(1 << 24):
        out += b"".join(e.data for e in events if e.code == "o" and isinstance(e.data, bytes))
    return bytes(out)


def test_a_disk_that_is_full_ends_the_session_and_forwards_nothing_unrecorded(
    stand: Stand,
) -> None:
    """RLIMIT_FSIZE stands in for the disk: write(2) fails in the middle of a flood."""
    stand.tidy()
    broker = start_broker(stand.home.root, "127.0.0.1:0", file_limit=8 << 20)
    own_port = stand.client.port
    try:
        with Store.open(stand.home) as store:
            stand.client.port = store.workers.list()[-1].port
        stand.client.trust((stand.home.root / "keys" / "host_key.pub").read_text().strip())
        flood = stand.popen("seq 1 100000000")
        got, said = flood.communicate(timeout=30)
        assert flood.returncode == 254
        assert b"the recording failed" in said
        session = stand.last()
    finally:
        broker.terminate()
        broker.wait(15)
        if broker.stdout:
            broker.stdout.close()
        stand.client.port = own_port
        stand.client.trust((stand.home.root / "keys" / "host_key.pub").read_text().strip())

    assert session.end_reason == "the recording failed"
    assert decoded(stand.recording(session) / "1-exec.cast").startswith(got)
    assert os.path.getsize(stand.recording(session) / "1-exec.cast") <= 8 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "psm-test", str(tmp_path)],
        capture_output=True,
    )
    if mounted.returncode:
        skip_or_fail("needs root and mount(8), for a file system that can be filled")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_still_takes_the_end_of_the_session_and_its_audit_entry(
    small_disk: Path,
) -> None:
    with Stand(folder=small_disk) as stand:
        flood = stand.popen("seq 1 100000000")
        got, said = flood.communicate(timeout=30)
        session = stand.last()

        assert flood.returncode == 254 and b"the recording failed" in said
        assert decoded(stand.recording(session) / "1-exec.cast").startswith(got)
        assert "# psm end" in stand.recorded(session)
        actions = [e.action for e in stand.read(lambda s: s.audit.list(session=session.id))]
        assert {"recording.fail", "session.end"} <= set(actions)
        refused = stand.client.run(stand.user, "id")
        assert b"can not be recorded" in refused.stderr and refused.stdout == b""
        stand.tidy()
