"""The log of an sftp channel: written before anything passes, signed, readable, checkable."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.domain.session import ChannelKind, Ledger
from psm_console.domain.sftp import Answered, Asked, Closed, Refused, Summed, Transferred
from psm_console.recording import file_log
from psm_console.recording.events import RecordingError
from psm_console.recording.log_writer import BLOCK
from psm_console.recording.reader import Tail
from psm_console.recording.recording import Recording
from psm_console.recording.sftp_recorder import SftpRecorder
from psm_console.recording.signing import Checkpoint
from psm_console.recording.verify import Verdict, VerdictWord, verify
from psm_console.recording.writer import SessionRecorder

from .making import make_recorder, trusted


def _open(recorder: SessionRecorder, number: int = 1) -> SftpRecorder:
    channel = recorder.open_channel(number, ChannelKind.SFTP, at=0.5, size=None)
    assert isinstance(channel, SftpRecorder)
    return channel


def _lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a log, its header first."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.startswith(b"{")]


def _blocks(path: Path, code: str) -> list[dict[str, Any]]:
    """What was said of the blocks that went one way."""
    start = b"# psm digest "
    found = [
        json.loads(line[len(start) :])
        for line in path.read_bytes().split(b"\n")
        if line.startswith(start)
    ]
    return [block for block in found if block["code"] == code]


class Made:
    """A recording of one sftp channel, and what a store would know of it."""

    def __init__(self, root: Path, *, closed: bool = True) -> None:
        self.known: dict[str, tuple[int, str]] = {}
        recorder = make_recorder(root, on_checkpoint=self.note)
        channel = _open(recorder)
        for number in range(1, 30):
            channel.operation(number, Asked(number, "remove", b"/tmp/%d" % number))
            channel.input(number, b"request %d" % number)
            channel.output(number, b"answer")
            channel.operation(number, Answered(number, "remove", "ok"))
        channel.exit(30.0, 0, None)
        self.digest = recorder.close(31.0, "done").digest if closed else None
        self.recorder = recorder
        self.folder = root / "s1"
        self.log = self.folder / "1-sftp.jsonl"

    def note(self, point: Checkpoint) -> None:
        self.known[point.file] = (point.offset, point.sha256)

    def verdict(self, *, store: bool = True) -> Verdict:
        known = self.known if store else None
        digest = self.digest if store else None
        return verify(self.folder, trusted=trusted(), known=known, closed_digest=digest)


def test_each_operation_is_a_line_of_json(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = _open(recorder)
    channel.operation(1.0, Asked(1, "open", b"/a b", None, (("for", "write"), ("mode", "644"))))
    channel.operation(1.5, Answered(1, "open", "ok"))
    done = Transferred(3, 0, "ab" * 32)
    channel.operation(2.0, Closed(1, b"/a b", "ok", None, done, None))
    channel.operation(3.0, Refused(2, "rename", b"/a", "policy", b"/b"))
    channel.operation(3.5, Closed(3, b"/d", "ok", entries=4))
    channel.operation(3.7, Summed((("stat", 2),), 5))
    channel.mark(4.0, "pause by sue", "pause")
    channel.exit(5.0, 0, None)
    channel.close(6.0)

    header, *said = _lines(tmp_path / "s1" / "1-sftp.jsonl")
    assert header["log"] == "psm-sftp"
    assert (header["psm"]["kind"], header["psm"]["file"]) == ("sftp", "1-sftp.jsonl")
    written = {"bytes": 3, "offset": 0, "sha256": "ab" * 32}
    assert said == [
        {"at": 1.0, "n": 1, "op": "open", "path": "/a b", "for": "write", "mode": "644"},
        {"at": 1.5, "n": 1, "op": "open", "result": "ok"},
        {"at": 2.0, "n": 1, "op": "close", "path": "/a b", "result": "ok", "written": written},
        {"at": 3.0, "n": 2, "op": "rename", "path": "/a", "other": "/b", "refused": "policy"},
        {"at": 3.5, "n": 3, "op": "close", "path": "/d", "result": "ok", "entries": 4},
        {"at": 3.7, "op": "summary", "requests": {"stat": 2}, "unpassed": 5},
        {"at": 4.0, "mark": "pause by sue"},
        {"at": 5.0, "exit": 0},
    ]


def test_every_block_has_its_place_and_the_digest_of_all_before_it(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = _open(recorder)
    sent, given = [b"ab", b"x" * (2 * BLOCK + 5), b"c"], [b"12", b"3"]
    for data in sent:
        channel.input(1.0, data)
    for data in given:
        channel.output(1.0, data)
    channel.error(1.0, b"oops")

    log = tmp_path / "s1" / "1-sftp.jsonl"
    for code, stream in (("i", b"".join(sent)), ("o", b"".join(given)), ("e", b"oops")):
        place = 0
        for block in _blocks(log, code):
            assert block["offset"] == place and 0 < block["bytes"] <= BLOCK
            place += block["bytes"]
            assert block["sha256"] == hashlib.sha256(stream[:place]).hexdigest()
        assert place == len(stream)
    assert {"at": 1.0, "stderr": "oops"} in _lines(log)
    assert channel.ledger == Ledger(
        output_bytes=7,
        input_bytes=sum(map(len, sent)),
        input_recorded="digest",
        digest_bytes=sum(map(len, sent)) + 7,
    )


def test_a_line_is_in_the_file_when_the_call_that_records_it_returns(tmp_path: Path) -> None:
    channel = _open(make_recorder(tmp_path))
    log = tmp_path / "s1" / "1-sftp.jsonl"
    before = log.stat().st_size
    channel.operation(1.0, Asked(1, "remove", b"/x"))
    assert b'"op":"remove"' in log.read_bytes()[before:]
    before = log.stat().st_size
    channel.input(1.0, b"bytes")
    assert b"# psm digest" in log.read_bytes()[before:]
    assert (channel.ledger.operations, channel.offset) == (1, log.stat().st_size)


def test_what_is_open_at_the_end_stands_before_the_end(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = _open(recorder)
    channel.unfinished = lambda: [Closed(1, b"/x", "never closed")]
    recorder.close(9.0, "sue: enough")
    assert _lines(tmp_path / "s1" / "1-sftp.jsonl")[-1]["result"] == "never closed"
    assert verify(tmp_path / "s1", trusted=trusted()).ok


@pytest.mark.fault
def test_after_a_failure_nothing_more_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = _open(make_recorder(tmp_path))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            channel.operation(1.0, Asked(1, "remove", b"/x"))
    with pytest.raises(RecordingError):
        channel.input(1.0, b"x")
    with pytest.raises(RecordingError):
        channel.operation(1.0, Asked(2, "remove", b"/x"))
    channel.unfinished = lambda: [Closed(1, b"/x", "never closed")]
    channel.close(2.0)
    assert channel.closed


@pytest.mark.parametrize("store", [True, False])
def test_a_closed_log_is_ok(tmp_path: Path, store: bool) -> None:
    verdict = Made(tmp_path).verdict(store=store)
    assert verdict.word is VerdictWord.OK, verdict
    assert {file.name for file in verdict.files} == {"1-sftp.jsonl", "session.json"}


@pytest.mark.fault
def test_a_log_whose_broker_died_is_incomplete(tmp_path: Path) -> None:
    made = Made(tmp_path, closed=False)
    assert made.verdict().word is VerdictWord.INCOMPLETE


@pytest.mark.attack
def test_a_cut_log_is_truncated_and_a_missing_one_is_missed(tmp_path: Path) -> None:
    made = Made(tmp_path)
    whole = made.log.read_bytes()
    for size in range(0, len(whole), max(len(whole) // 40, 1)):
        made.log.write_bytes(whole[:size])
        assert made.verdict().word in (VerdictWord.TRUNCATED, VerdictWord.CORRUPT), size
        assert not made.verdict(store=False).ok
    made.log.unlink()
    assert made.verdict().word is VerdictWord.MISSING


@pytest.mark.attack
def test_no_flipped_bit_passes(tmp_path: Path) -> None:
    made = Made(tmp_path)
    whole = made.log.read_bytes()
    places = random.Random(5).sample(range(len(whole)), 60)
    for place in [0, len(whole) - 1, *places]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << random.Random(place).randrange(8)
        made.log.write_bytes(flipped)
        assert not made.verdict(store=False).ok, place
        assert not made.verdict().ok, place


@pytest.mark.attack
def test_a_log_can_not_stand_for_another_channel(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.log.rename(made.folder / "2-sftp.jsonl")
    assert not made.verdict(store=False).ok
    (made.folder / "2-sftp.jsonl").rename(made.folder / "1-exec.jsonl")
    assert made.verdict(store=False).word is VerdictWord.ORPHAN


def test_the_digest_is_what_sha256sum_prints_for_casts_and_logs(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    for number in (2, 10):
        _open(recorder, number).close(1.0)
    for number, kind in ((1, ChannelKind.EXEC), (3, ChannelKind.SHELL)):
        recorder.open_channel(number, kind, at=0.0, size=None).close(1.0)
    digest = recorder.close(2.0, "done").digest
    command = "LC_ALL=C sha256sum [1-9]*.[cj]* session.json | sha256sum"
    ran = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path / "s1", capture_output=True, check=True
    )
    assert ran.stdout.decode().split()[0] == digest
    assert verify(tmp_path / "s1", trusted=trusted(), closed_digest=digest).ok


def test_a_log_is_replayed_as_lines_of_text(tmp_path: Path) -> None:
    Made(tmp_path)
    with Recording.open(tmp_path / "s1") as recording:
        (channel,) = recording.channels
        assert (channel.kind, channel.file, channel.exit) == ("sftp", "1-sftp.jsonl", "0")
        assert channel.end is not None and channel.end.ledger["operations"] == 29
        assert recording.text_at(1.5)[:3] == ["   1 remove /tmp/1", "   1 remove · ok", ""]
        assert recording.duration == 31.0
        assert recording.notes == []


def test_a_live_log_is_followed(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = _open(recorder)
    with Tail(tmp_path / "s1" / "1-sftp.jsonl") as tail:
        assert tail.read() == []
        channel.operation(2.0, Asked(1, "mkdir", b"/x"))
        (event,) = tail.read()
        assert (event.at_us, event.code, event.data) == (2_000_000, "o", b"   1 mkdir /x\n")


HOSTILE = [
    b"/tmp/\x1b]0;owned\x07\x1b[2J",
    b"/tmp/line\nbreak\r",
    b"/tmp/\xff\xfe\x80",
    b"/tmp/\xc2\x9b31m",
    "/tmp/\u202egpj.exe".encode(),
    b"/tmp/\\xff",
    b'/tmp/"],"n":1}',
    b"\0",
    b"",
]


@pytest.mark.attack
@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_name_is_kept_exactly_and_shown_safely(tmp_path: Path, path: bytes) -> None:
    channel = _open(make_recorder(tmp_path))
    channel.operation(1.0, Asked(1, "rename", path, path))
    channel.close(2.0)
    log = tmp_path / "s1" / "1-sftp.jsonl"
    assert log.read_bytes().isascii() and b"\x1b" not in log.read_bytes()
    said = _lines(log)[1]
    for name in ("path", "other"):
        exact = said.get(f"{name}_base64")
        assert (said[name].encode() if exact is None else base64.b64decode(exact)) == path
    with Recording.open(log) as recording:
        assert recording.text_at(1.0)[0].startswith("   1 rename ")


@pytest.mark.attack
@given(
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), st.text(max_size=9)),
            lambda inner: st.dictionaries(
                st.sampled_from(["at", "n", "op", "path", "read", "written", "mark", "exit", "x"]),
                inner,
                max_size=6,
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_a_forged_line_never_raises_and_shows_no_control(line: bytes) -> None:
    decoded = file_log.decode(line)
    if decoded is not None and decoded[1] == "o":
        assert decoded[2].endswith("\n") and decoded[2][:-1].isprintable()
