"""A session's folder: new, private, sealed, and complete whatever happens to the process."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from psm_console.domain.session import ChannelKind, Size
from psm_console.recording.events import RecordingError
from psm_console.recording.signing import Checkpoint

from .making import make_recorder, open_exec, open_shell, read_bytes, read_events

OS_WRITE = "psm_console.recording.evidence.os.write"
FLOOD = Path(__file__).with_name("flood.py")


def test_a_recording_is_private_and_says_who_what_and_when(tmp_path: Path) -> None:
    os.umask(os.umask(0))
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    recorder.close(1, "done")

    folder = tmp_path / "s1"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    known = json.loads((folder / "session.json").read_text())
    assert (known["operator"], known["account"], known["target"]) == ("ana", "root", "db1")
    header = json.loads((folder / channel.file).read_text().split("\n")[0])
    content = (folder / "session.json").read_bytes()
    assert header["psm"]["session_json"] == hashlib.sha256(content).hexdigest()


@pytest.mark.attack
@pytest.mark.parametrize("session_id", ["", ".", "..", "../s1", "a/b", "/etc", "a\0b", "x" * 200])
def test_an_id_that_leaves_the_folder_of_recordings_is_refused(
    tmp_path: Path, session_id: str
) -> None:
    with pytest.raises(RecordingError):
        make_recorder(tmp_path, session_id)


@pytest.mark.attack
def test_nothing_that_lies_there_already_is_written_into(tmp_path: Path) -> None:
    make_recorder(tmp_path, "s1").close(0, "done")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s2").symlink_to(tmp_path / "elsewhere")

    for session_id in ("s1", "s2"):
        with pytest.raises(RecordingError, match="already"):
            make_recorder(tmp_path, session_id)
    recorder = make_recorder(tmp_path, "s3")
    (tmp_path / "s3" / "1-shell.cast").symlink_to(tmp_path / "stolen")
    with pytest.raises(OSError):
        open_shell(recorder)
    assert not (tmp_path / "stolen").exists()
    recorder = make_recorder(tmp_path, "s4")
    (tmp_path / "s4" / "1-shell.cast").write_text("precious")
    with pytest.raises(FileExistsError):
        open_shell(recorder)
    assert (tmp_path / "s4" / "1-shell.cast").read_text() == "precious"


def test_the_seal_is_what_sha256sum_says(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    open_shell(recorder, 10).output(1, b"x")
    open_exec(recorder, 2).output(1, os.urandom(5000))
    seal = recorder.close(2, "done")

    command = "LC_ALL=C sha256sum *.cast session.json | sha256sum"
    printed = subprocess.check_output(command, shell=True, cwd=tmp_path / "s1", text=True)
    assert printed.split()[0] == seal.digest
    assert recorder.close(9, "again") is seal
    assert [file.name for file in seal.files] == [
        "10-shell.cast",
        "2-exec.bin",
        "2-exec.cast",
        "session.json",
    ]
    assert seal.size_bytes == sum(path.stat().st_size for path in (tmp_path / "s1").iterdir())


def test_a_marker_without_an_open_channel_stands_in_the_next_one(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    recorder.mark(1, "paused by sue", "pause")
    first = open_shell(recorder, 1, at=5)
    second = open_exec(recorder, 2)
    recorder.mark(6, "resumed by sue", "resume")
    recorder.close(7, "done")

    labels = [
        [(event.at_us, event.data) for event in read_events(tmp_path / "s1" / channel.file)]
        for channel in (first, second)
    ]
    assert labels == [
        [(1_000_000, "paused by sue"), (6_000_000, "resumed by sue")],
        [(6_000_000, "resumed by sue")],
    ]


def test_sync_may_run_beside_and_after_everything(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    recorder.sync()
    open_shell(recorder).output(1, b"x")
    recorder.sync()
    recorder.close(2, "done")
    recorder.sync()

    assert recorder.failure is None


def test_a_closed_channel_costs_no_descriptor_after_the_next_sync(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/dev/fd"))

    recorder = make_recorder(tmp_path)
    before = descriptors()
    for number in range(1, 6):
        channel = open_exec(recorder, number)
        channel.output(1, b"\0" * 5000)
        channel.close(2)
    recorder.sync()
    after = descriptors()
    recorder.close(3, "done")

    assert after == before
    assert descriptors() == before - 1


@pytest.mark.fault
def test_a_disk_that_refuses_to_sync_stops_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    monkeypatch.setattr(f"{OS_WRITE.removesuffix('write')}fdatasync", _refuse)

    with pytest.raises(OSError):
        recorder.sync()
    with pytest.raises(RecordingError, match="Input/output error"):
        channel.output(1, b"x")
    monkeypatch.undo()
    assert recorder.close(2, "done").failure == "Input/output error"


def _refuse(descriptor: int) -> None:
    raise OSError(5, "Input/output error")


Writer = Callable[[int, bytes], int]


def failing_write(fail_at: int, *, short: bool, error: OSError) -> Writer:
    """Return an os.write whose `fail_at`-th call and all later ones fail, after half if `short`."""
    real = os.write
    calls = 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls < fail_at:
            return real(descriptor, data)
        if short and calls == fail_at:
            return real(descriptor, data[: len(data) // 2])
        raise error

    return write


@pytest.mark.fault
@pytest.mark.parametrize("short", [False, True])
def test_a_full_disk_at_any_write_stops_everything_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    stopped = 0
    for fail_at in range(1, 36):
        recorder = make_recorder(tmp_path, f"s{fail_at}")
        error = OSError(28, "No space left on device")
        monkeypatch.setattr(OS_WRITE, failing_write(fail_at, short=short, error=error))
        forwarded = b""
        channel = None
        try:
            channel = open_shell(recorder)
            for chunk in (b"abc", b"\xff", b"\xe2", b"\x82\xac", b"def") * 4:
                channel.output(1, chunk)
                forwarded += chunk
        except OSError:
            stopped += 1
            with pytest.raises(RecordingError, match="No space left"):
                recorder.mark(2, "x")
            if channel is not None:
                with pytest.raises(RecordingError, match="No space left"):
                    channel.output(2, b"more")
                with pytest.raises(RecordingError, match="No space left"):
                    channel.input(2, b"more")
        monkeypatch.undo()
        seal = recorder.close(3, "recording failed")

        assert seal.failure is None
        if channel is not None:
            path = tmp_path / f"s{fail_at}" / channel.file
            assert read_bytes(path).startswith(forwarded)
            assert '\n# psm end {"at":3,"reason":"recording failed"' in path.read_text()
    assert stopped == 26


@pytest.mark.fault
def test_a_disk_that_stays_full_is_told_by_the_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = make_recorder(tmp_path)
    open_shell(recorder)
    error = OSError(28, "No space left on device")
    monkeypatch.setattr(OS_WRITE, failing_write(1, short=False, error=error))

    seal = recorder.close(1, "done")

    assert seal.failure == "No space left on device"


@pytest.mark.fault
def test_a_checkpoint_that_nobody_could_take_stops_the_recorder(tmp_path: Path) -> None:
    def refuse(point: Checkpoint) -> None:
        if point.offset > 1000:
            raise RuntimeError("the store is gone")

    recorder = make_recorder(tmp_path, on_checkpoint=refuse)
    channel = open_shell(recorder)
    channel.output(1, b"x" * 2000)

    with pytest.raises(RuntimeError):
        recorder.checkpoint(2)
    with pytest.raises(RecordingError, match="the store is gone"):
        channel.output(3, b"x")
    assert recorder.failure == "the store is gone"


def flood(*arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start flood.py; return it and the end where it acknowledges bytes."""
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, str(FLOOD), str(theirs), *arguments], pass_fds=[theirs]
    )
    os.close(theirs)
    return process, ours


@pytest.mark.fault
def test_sigkill_under_a_flood_loses_no_acknowledged_byte(tmp_path: Path) -> None:
    for turn, wanted in enumerate((1, 200, 3000, 20_000)):
        process, acknowledgements = flood(str(tmp_path), f"s{turn}")
        acknowledged = b""
        while acknowledged.count(b"\n") < wanted:
            acknowledged += os.read(acknowledgements, 65536)
        process.send_signal(signal.SIGKILL)
        process.wait()
        while more := os.read(acknowledgements, 65536):
            acknowledged += more
        os.close(acknowledgements)

        whole = acknowledged[: acknowledged.rindex(b"\n") + 1]
        path = tmp_path / f"s{turn}" / "1-shell.cast"
        assert read_bytes(path).startswith(whole)


@pytest.mark.fault
def test_a_real_limit_on_file_size_loses_no_acknowledged_byte(tmp_path: Path) -> None:
    process, acknowledgements = flood(str(tmp_path), "s1", "100000")
    acknowledged = b""
    while more := os.read(acknowledgements, 65536):
        acknowledged += more
    os.close(acknowledgements)

    assert process.wait() == 3, "the recorder did not refuse"
    assert 10_000 < len(acknowledged) < 100_000
    path = tmp_path / "s1" / "1-shell.cast"
    assert path.stat().st_size <= 110_000
    assert read_bytes(path).startswith(acknowledged)
    assert "# psm end" in path.read_text().split("\n")[-3]


def test_files_of_a_session_are_named_for_channel_and_kind(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = recorder.open_channel(
        7, ChannelKind.EXEC, at=1, size=Size(100, 30), term="x\x1b]0;\n" + "y" * 999, command="vi"
    )
    recorder.close(2, "done")

    header = json.loads((tmp_path / "s1" / "7-exec.cast").read_text().split("\n")[0])
    assert channel.file == "7-exec.cast"
    assert header["term"] == {"cols": 100, "rows": 30, "type": "x?]0;?" + "y" * 58}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
