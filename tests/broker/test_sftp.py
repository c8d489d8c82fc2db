"""sftp and scp through the broker: the same files, and every operation on record."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import select
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

from psm_console.domain.events import Leg
from psm_console.domain.session import ChannelKind, Outcome, Session, Verb
from psm_console.recording.sftp_recorder import SftpRecorder
from psm_console.recording.signing import Signer, TrustedKeys
from psm_console.recording.verify import VerdictWord, verify
from tests.support.openssh import environment
from tests.support.tools import find_tool, need
from tests.support.waiting import eventually_sync

from .stand import Stand

SLOW = ["-l", "16000"]
"""2 MB/s: a transfer of some MB lasts long enough to be met."""


@pytest.fixture
def guarded() -> Iterator[Stand]:
    """A broker whose policy lets nothing be uploaded, and denies a path."""
    with Stand(config='[sftp]\nupload = false\ndenied_paths = ["*/secret*"]\n') as running:
        yield running
        running.tidy()


def _argv(stand: Stand, program: str, *rest: str | bytes) -> list[str | bytes]:
    """The command line of `sftp` or `scp` with the client's key and known_hosts."""
    need(program)
    found = find_tool(program)
    assert found is not None
    # ssh's own options, but for the port, which these call -P, and the host at the end.
    ssh = stand.client.argv(stand.user)[1:-3]
    at = ssh.index("-p")
    return [found, *ssh[:at], "-P", ssh[at + 1], *ssh[at + 2 :], "-o", f"User={stand.user}", *rest]


def _run(stand: Stand, program: str, *rest: str | bytes, stdin: bytes = b"") -> str:
    """Run it to its good end; return what it said."""
    argv = _argv(stand, program, *rest)
    done = subprocess.run(argv, input=stdin, capture_output=True, env=environment(), timeout=60)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def _batch(stand: Stand, *commands: str) -> subprocess.CompletedProcess[bytes]:
    """Run commands of sftp's batch mode; the first that fails ends it."""
    argv = _argv(stand, "sftp", "-b", "-", "127.0.0.1")
    script = "\n".join(commands).encode() + b"\n"
    return subprocess.run(argv, input=script, capture_output=True, env=environment(), timeout=60)


@contextlib.contextmanager
def _running(stand: Stand, program: str, *rest: str) -> Iterator[subprocess.Popen[bytes]]:
    """A client that is still at work."""
    argv = _argv(stand, program, *rest)
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment())
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _log(stand: Stand, session: Session, number: int = 1) -> list[dict[str, Any]]:
    """The operations in a channel's log."""
    content = (stand.recording(session) / f"{number}-sftp.jsonl").read_bytes()
    return [json.loads(line) for line in content.split(b"\n") if line.startswith(b"{")][1:]


def _operations(log: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was asked for, by name and path, with how it went."""
    results = {line["n"]: line["result"] for line in log if "result" in line and "path" not in line}
    return [
        (f"{line['op']}: {line.get('refused') or results.get(line['n'])}", line["path"])
        for line in log
        if "path" in line and line["op"] != "close"
    ]


def _closed(log: list[dict[str, Any]], path: Path | str) -> dict[str, Any]:
    return next(line for line in log if line.get("op") == "close" and line["path"] == str(path))


def _ok(stand: Stand, session: Session) -> None:
    """The recording is whole and signed, and the one that the store knows."""
    signer = Signer.load(stand.home.recording_key)
    keys = TrustedKeys.parse(signer.allowed_signers_line)
    known = stand.read(lambda store: store.recordings.known(session.id))
    closed = stand.read(lambda store: store.recordings.get(session.id).digest)
    verdict = verify(stand.recording(session), trusted=keys, known=known, closed_digest=closed)
    assert verdict.word is VerdictWord.OK, verdict


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    """A file of 3 MB that can not be compressed."""
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(3 << 20))
    return path


@pytest.mark.parametrize("program", ["sftp", "scp"])
def test_files_arrive_whole_both_ways_with_their_digests_on_record(
    stand: Stand, tmp_path: Path, blob: Path, program: str
) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    if program == "sftp":
        done = _batch(stand, f"put {blob} {up}", f"get {up} {down}")
        assert done.returncode == 0, done.stderr
        logs = [_log(stand, stand.last())] * 2
    else:
        _run(stand, "scp", str(blob), f"127.0.0.1:{up}")
        logs = [_log(stand, stand.last())]
        _run(stand, "scp", f"127.0.0.1:{up}", str(down))
        logs.append(_log(stand, stand.last()))

    assert up.read_bytes() == down.read_bytes() == blob.read_bytes()
    expected = {"bytes": 3 << 20, "offset": 0, "sha256": _sha(blob.read_bytes())}
    closes = [line for log in logs for line in log if line.get("op") == "close"]
    assert any(line.get("written") == expected for line in closes)
    assert any(line.get("read") == expected for line in closes)
    session = stand.last()
    channel = session.channels[0]
    assert (channel.kind, channel.exit, channel.pty) == (ChannelKind.SFTP, "0", False)
    assert channel.ledger.operations >= 1 and channel.ledger.input_recorded == "digest"
    assert channel.ledger.digest_bytes == channel.ledger.output_bytes + channel.ledger.input_bytes
    _ok(stand, session)


def test_the_old_protocol_of_scp_is_an_exec_as_before(
    stand: Stand, tmp_path: Path, blob: Path
) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    _run(stand, "scp", "-O", str(blob), f"127.0.0.1:{up}")
    _run(stand, "scp", "-O", f"127.0.0.1:{up}", str(down))
    assert down.read_bytes() == blob.read_bytes()
    assert stand.last().channels[0].kind is ChannelKind.EXEC


def test_what_is_done_to_files_is_told_in_order(stand: Stand, tmp_path: Path) -> None:
    place = tmp_path / "there"
    (tmp_path / "old").write_text("x")
    done = _batch(
        stand,
        f"mkdir {place}",
        f"rename {tmp_path}/old {place}/new",
        f"chmod 600 {place}/new",
        f"symlink {place}/new {place}/link",
        f"ls {place}",
        f"-rm {place}/missing",
        f"rm {place}/link",
        f"rm {place}/new",
        f"rmdir {place}",
    )
    assert done.returncode == 0, done.stderr
    session = stand.last()
    log = _log(stand, session)
    assert [one for one in _operations(log) if one[0].split(":")[0] != "opendir"] == [
        ("mkdir: ok", str(place)),
        ("rename: ok", f"{tmp_path}/old"),
        ("setstat: ok", f"{place}/new"),
        ("symlink: ok", f"{place}/link"),
        ("remove: no such file", f"{place}/missing"),
        ("remove: ok", f"{place}/link"),
        ("remove: ok", f"{place}/new"),
        ("rmdir: ok", str(place)),
    ]
    assert _closed(log, f"{place}/")["entries"] == 4
    assert next(line for line in log if line["op"] == "symlink")["other"] == f"{place}/new"
    assert log[-1]["requests"]["readdir"] == 2
    _ok(stand, session)


@pytest.mark.attack
def test_hostile_names_are_kept_exactly_and_never_reach_a_terminal(
    stand: Stand, tmp_path: Path
) -> None:
    source = os.fsencode(tmp_path / "from")
    os.mkdir(source)
    names = [b"\x1b]0;owned\x07\x1b[2J", b"two\nlines", b"\xff\xfe", "\u202egpj.exe".encode()]
    for name in names:
        (Path(os.fsdecode(source)) / os.fsdecode(name)).write_bytes(b"content")
    _run(stand, "scp", "-r", source, f"127.0.0.1:{tmp_path}/to")

    assert sorted(os.listdir(os.fsencode(tmp_path / "to"))) == sorted(names)
    session = stand.last()
    content = (stand.recording(session) / "1-sftp.jsonl").read_bytes()
    assert b"\x1b" not in content and "\u202e".encode() not in content
    opened = [line for line in _log(stand, session) if line.get("op") == "open" and "path" in line]
    exact = {base64.b64decode(line["path_base64"]).rpartition(b"/")[2] for line in opened}
    assert exact == set(names)


def test_a_refused_upload_is_denied_and_everything_else_goes_on(
    guarded: Stand, tmp_path: Path, blob: Path
) -> None:
    (tmp_path / "secret.key").write_text("no")
    (tmp_path / "open").write_text("yes")
    done = _batch(
        guarded,
        f"-put {blob} {tmp_path}/up",
        f"-get {tmp_path}/secret.key {tmp_path}/got",
        f"get {tmp_path}/open {tmp_path}/down",
    )

    assert done.returncode == 0, done.stderr
    assert b'up": Permission denied' in done.stderr.replace(b"...", b'/up"')
    assert b"secret.key" in done.stderr
    assert not (tmp_path / "up").exists() and not (tmp_path / "got").exists()
    assert (tmp_path / "down").read_text() == "yes"
    session = guarded.last()
    refused = {
        line["path"]: line["refused"] for line in _log(guarded, session) if "refused" in line
    }
    assert "no upload" in refused[f"{tmp_path}/up"]
    assert "denies the path" in refused[f"{tmp_path}/secret.key"]
    _ok(guarded, session)


def _met(stand: Stand, path: Path) -> Session:
    """The session of a transfer to `path` that is under way."""
    eventually_sync(
        lambda: path.exists() and path.stat().st_size > 200_000, what="some of the file"
    )
    return stand.session()


def _slow_upload(blob: Path, up: Path) -> Sequence[str]:
    return [*SLOW, str(blob), f"127.0.0.1:{up}"]


def test_a_pause_holds_an_upload_and_a_resume_completes_it(
    stand: Stand, tmp_path: Path, blob: Path
) -> None:
    up = tmp_path / "up"
    with _running(stand, "scp", *_slow_upload(blob, up)) as process:
        session = _met(stand, up)
        assert stand.order(session, Verb.PAUSE).outcome is Outcome.DONE
        eventually_sync(_same(lambda: up.stat().st_size), what="what had passed before to arrive")
        assert process.poll() is None and up.stat().st_size < 3 << 20
        assert stand.order(session, Verb.RESUME).outcome is Outcome.DONE
        _, told = process.communicate(timeout=30)
        assert process.returncode == 0
        assert b"paused by sue" in told and b"resumed by sue" in told
    assert up.read_bytes() == blob.read_bytes()
    log = _log(stand, stand.last())
    assert _closed(log, up)["written"]["sha256"] == _sha(blob.read_bytes())
    assert [line["mark"] for line in log if "mark" in line][:2] == ["pause by sue", "resume by sue"]


def _same(question: Callable[[], int]) -> Callable[[], bool]:
    """A condition: the answer is what it was 40 askings ago."""
    answers: list[int] = []

    def asked() -> bool:
        answers.append(question())
        return len(answers) > 40 and len(set(answers[-40:])) == 1

    return asked


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_a_transfer_that_is_cut_leaves_the_digest_of_what_went_through(
    stand: Stand, tmp_path: Path, blob: Path, how: str
) -> None:
    up = tmp_path / "up"
    with _running(stand, "scp", *_slow_upload(blob, up)) as process:
        session = _met(stand, up)
        if how == "terminate":
            assert stand.order(session, Verb.TERMINATE, reason="enough").outcome is Outcome.DONE
            _, said = process.communicate(timeout=10)
            assert process.returncode != 0 and b"session ended by sue: enough" in said
        else:
            process.kill()
    session = stand.last()
    written = _closed(_log(stand, session), up)
    assert written["result"] == "never closed"
    passed = written["written"]["bytes"]
    assert 0 < up.stat().st_size <= passed < 3 << 20
    assert written["written"]["sha256"] == _sha(blob.read_bytes()[:passed])
    _ok(stand, session)


@pytest.mark.attack
@pytest.mark.parametrize(
    "stream",
    [b"rm -rf /\n" * 20, b"\0\0\0\x05\x01\0\0\0\x03" + b"\0\0\0\x05\x63\0\0\0\x01"],
    ids=["no-packets", "no-request"],
)
def test_a_client_that_speaks_something_else_loses_the_channel_and_nothing_passes(
    stand: Stand, stream: bytes
) -> None:
    with stand.client.master(stand.user) as through:
        done = stand.client.run(stand.user, "sftp", options=["-s", *through], stdin=stream)
        after = stand.client.run(stand.user, "echo still here", options=through)
    assert done.returncode != 0
    assert b"does not speak SFTP" in done.stderr
    assert after.stdout == b"still here\n"
    session = stand.last()
    assert {channel.number: channel.kind for channel in session.channels} == {
        1: ChannelKind.SFTP,
        2: ChannelKind.EXEC,
    }
    ends = stand.read(lambda store: store.audit.list(action="channel.end", session=session.id))
    assert len(ends) == 1
    assert session.channels[0].ledger.input_bytes <= 9
    _ok(stand, session)


@pytest.mark.attack
def test_a_client_that_reads_no_answers_is_not_read_either(stand: Stand) -> None:
    asked = b"".join(
        b"\0\0\0\x0b\xc8" + number.to_bytes(4, "big") + b"\0\0\0\x02??" for number in range(150_000)
    )
    with stand.popen("sftp", options=["-s"]) as client:
        assert client.stdin is not None
        writer = threading.Thread(
            target=_write, args=(client.stdin, b"\0\0\0\x05\x01\0\0\0\x03" + asked)
        )
        writer.start()
        eventually_sync(lambda: _unread(stand) > 0, what="answers that wait")
        # Each answer is some times as long as what it answers; all of them would be 15 MB. What one
        # read of the socket brought is answered whole.
        eventually_sync(_same(lambda: _unread(stand)), what="the broker to stop reading")
        assert _unread(stand) < 2 << 20
        client.kill()
        writer.join(10)


@pytest.mark.attack
def test_a_client_whose_wire_is_full_is_not_read_either(stand: Stand) -> None:
    assert _first_answer(stand, "-s")

    def held() -> tuple[bool, bool]:
        (driver,) = stand.broker.running.worker.sessions.values()
        (relay,) = driver.relays.values()
        found = []
        fulls: list[frozenset[Leg]] = [frozenset({"operator"}), frozenset()]
        for full in fulls:
            driver.full_wires = full
            relay.heed_wires()
            found.append("wire" in relay.input.valve._reasons)
        return found[0], found[1]

    assert stand.broker.ask(held) == (True, False)


def _first_answer(stand: Stand, *options: str) -> bytes:
    """Open a channel that stays, and return what the target says to the client's first packet."""
    client = stand.popen("sftp", options=options)
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(b"\0\0\0\x05\x01\0\0\0\x03")
    client.stdin.flush()
    assert select.select([client.stdout], [], [], 10)[0], "no answer"
    return os.read(client.stdout.fileno(), 100)


def _write(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(OSError):
        pipe.write(data)


def _unread(stand: Stand) -> int:
    """Bytes that the broker keeps for the only client."""

    def ask() -> int:
        found = 0
        for driver in stand.broker.running.worker.sessions.values():
            for relay in driver.relays.values():
                operator = relay.channel.operator
                found += operator._send_buf_len if operator is not None else 0
        return found

    return stand.broker.ask(ask)


@pytest.mark.attack
def test_a_target_that_speaks_something_else_ends_the_channel() -> None:
    extra = ["ForceCommand echo welcome to db1; sleep 60"]
    with Stand(sshd_extra=extra) as stand:
        done = _batch(stand, "pwd")
        assert done.returncode != 0 and b"does not speak SFTP" in done.stderr
        assert b"welcome" not in done.stdout
        stand.tidy()


@pytest.mark.fault
def test_an_operation_that_can_not_be_recorded_is_not_done(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SftpRecorder, "operation", full)
    done = _batch(stand, f"rm {tmp_path}/kept")
    assert done.returncode != 0
    assert (tmp_path / "kept").exists()
    assert "recording failed" in (stand.last().end_reason or "")


def test_a_terminal_that_is_asked_for_beside_sftp_is_not_given(stand: Stand) -> None:
    assert _first_answer(stand, "-tt", "-s")[4:9] == b"\x02\0\0\0\x03"
    (channel,) = eventually_sync(lambda: stand.session().channels, what="the channel's row")
    assert channel.pty is False
