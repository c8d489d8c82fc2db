"""The log of a forward: written before anything passes, signed, readable, checkable."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from psm_console.domain.session import ChannelKind, Ledger
from psm_console.recording import file_log
from psm_console.recording.events import RecordingError
from psm_console.recording.forward_recorder import ForwardRecorder
from psm_console.recording.recording import Recording
from psm_console.recording.verify import VerdictWord, verify
from psm_console.recording.writer import SessionRecorder

from .making import make_recorder, trusted


def _open(recorder: SessionRecorder, number: int = 1) -> ForwardRecorder:
    channel = recorder.open_channel(
        number,
        ChannelKind.FORWARD,
        at=0.5,
        size=None,
        command="127.0.0.1:5432",
        title="127.0.0.1:4711\x1b[31m",
    )
    assert isinstance(channel, ForwardRecorder)
    return channel


def _said(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.startswith(b"{")]


def _used(root: Path) -> SessionRecorder:
    recorder = make_recorder(root)
    channel = _open(recorder)
    channel.opened(0.6, "open")
    channel.protocol = "http"
    channel.first(0.7, "operator", b"GET / HTTP/1.1")
    channel.input(0.7, b"GET / HTTP/1.1")
    channel.output(0.8, b"HTTP/1.1 200 OK")
    channel.output(0.9, b" and more")
    channel.mark(1.0, "pause by sue", "pause")
    return recorder


def test_a_log_says_where_it_led_how_it_began_and_how_much_passed(tmp_path: Path) -> None:
    recorder = _used(tmp_path)
    recorder.close(2.0, "done")

    header, *said = _said(tmp_path / "s1" / "1-forward.jsonl")
    assert (header["log"], header["to"]) == ("psm-forward", "127.0.0.1:5432")
    assert header["from"] == "127.0.0.1:4711\\x1b[31m"
    digits = b"GET / HTTP/1.1".hex()
    assert said == [
        {"at": 0.6, "forward": "opened", "to": "127.0.0.1:5432", "result": "open"},
        {"at": 0.7, "forward": "first", "from": "operator", "hex": digits, "protocol": "http"},
        {"at": 1.0, "mark": "pause by sue"},
        {"at": 2.0, "forward": "closed", "to_target": 14, "to_operator": 24, "protocol": "http"},
    ]


def test_offset_and_running_sha_256_of_each_way_stand_before_the_block_passes(
    tmp_path: Path,
) -> None:
    channel = _open(make_recorder(tmp_path))
    log = tmp_path / "s1" / "1-forward.jsonl"
    running = hashlib.sha256()
    for number in range(3):
        data = b"%d" % number * 100
        running.update(data)
        channel.output(1.0 + number, data)
        block = json.loads(log.read_bytes().splitlines()[-1][len("# psm digest ") :])
        assert block == {
            "at": 1.0 + number,
            "code": "o",
            "offset": number * 100,
            "bytes": 100,
            "sha256": running.hexdigest(),
        }


def test_the_ledger_says_that_only_sha_256_is_kept(tmp_path: Path) -> None:
    channel = _open(make_recorder(tmp_path))
    channel.input(1.0, b"abc")
    channel.output(1.0, b"defg")
    channel.protocol = "tls"

    assert channel.ledger == Ledger(
        output_bytes=4, input_bytes=3, input_recorded="digest", digest_bytes=7, protocol="tls"
    )


def test_a_recording_with_a_forward_verifies_and_replays(tmp_path: Path) -> None:
    _used(tmp_path).close(2.0, "done")

    assert verify(tmp_path / "s1", trusted=trusted()).word is VerdictWord.OK
    with Recording.open(tmp_path / "s1") as recording:
        (channel,) = recording.channels
        assert (channel.kind, channel.command) == ("forward", "127.0.0.1:5432")
        shown = "\n".join(recording.screen_at(2.0).display)
        assert "forward to 127.0.0.1:5432: open" in shown
        assert "the operator began (http): GET / HTTP/1.1" in shown
        assert "14 bytes to the target, 24 to the operator, http" in shown


@pytest.mark.attack
def test_a_changed_byte_or_a_changed_name_is_noticed(tmp_path: Path) -> None:
    _used(tmp_path).close(2.0, "done")
    folder = tmp_path / "s1"
    log = folder / "1-forward.jsonl"
    whole = log.read_bytes()

    log.write_bytes(whole.replace(b'"to_target":14', b'"to_target":15'))
    assert verify(folder, trusted=trusted()).word is VerdictWord.CORRUPT
    log.write_bytes(whole)
    log.rename(folder / "1-sftp.jsonl")
    assert verify(folder, trusted=trusted()).word is not VerdictWord.OK


@pytest.mark.fault
def test_after_a_failed_write_nothing_more_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = _open(make_recorder(tmp_path))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            channel.first(1.0, "operator", b"x")
    with pytest.raises(RecordingError, match="failed before"):
        channel.output(2.0, b"y")


@pytest.mark.attack
@pytest.mark.parametrize(
    "line",
    [
        b'{"at":1,"forward":"first","hex":"zz","from":"\\u001b[2J"}',
        b'{"at":1,"forward":"first","hex":' + b"9" * 5000 + b"}",
        b'{"at":1,"forward":"first","hex":"' + b"41" * 100000 + b'"}',
        b'{"at":1,"forward":"closed","to_target":' + b"9" * 5000 + b"}",
        b'{"at":1,"forward":"\\u202egnirts"}',
        b'{"at":1e400,"forward":"opened"}',
    ],
)
def test_hostile_lines_are_shown_short_and_harmless_or_not_at_all(line: bytes) -> None:
    shown = file_log.decode(line)
    if shown is not None:
        assert len(shown[2]) <= file_log.SHOWN_LIMIT + 1
        assert shown[2].rstrip("\n").isprintable()
