"""An exported recording shows the same screens in players that know version 2 only."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from psm_console.domain.session import Size
from psm_console.recording.events import RecordingError
from psm_console.recording.export import export_v2
from psm_console.recording.recording import Recording

from .making import make_recorder, open_exec, open_shell
from .test_recording import programs


def test_every_line_is_asciicast_v2_and_every_screen_the_same(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder, at=2)
    for number, chunk in enumerate(programs(random.Random(1), 800)):
        channel.output(2 + number / 50, chunk)
    channel.resize(30, Size(100, 30))
    channel.mark(31, "paused")
    channel.exit(32, 0, None)
    recorder.close(40, "done")
    target = tmp_path / "old.cast"

    count = export_v2(tmp_path / "s1" / channel.file, target)

    header, *events = [json.loads(line) for line in target.read_text().split("\n") if line]
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert header["env"] == {"TERM": "xterm-256color"}
    assert len(events) == count
    assert {event[1] for event in events} == {"o", "r", "m"}
    times = [event[0] for event in events]
    assert times == sorted(times) and times[0] >= 2
    with Recording.open(tmp_path / "s1") as old, Recording.open(target) as new:
        for at in (3.0, 8.0, 20.0, 40.0):
            assert new.text_at(at) == old.text_at(at)


def test_a_pipe_is_exported_as_a_terminal_would_have_shown_it(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    channel.output(1, b"one\n")
    channel.error(2, b"two\n")
    channel.input(3, b"typed")
    channel.output(4, bytes(range(256)) * 10)
    recorder.close(5, "done")

    export_v2(tmp_path / "s1" / channel.file, tmp_path / "old.cast")

    events = [json.loads(line) for line in (tmp_path / "old.cast").read_text().split("\n")[1:-1]]
    assert events == [[1.0, "o", "one\r\n"], [2.0, "o", "two\r\n"], [3.0, "i", "typed"]]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    recorder.close(1, "done")
    (tmp_path / "there").write_text("precious")

    with pytest.raises(RecordingError, match="choose another name"):
        export_v2(tmp_path / "s1" / channel.file, tmp_path / "there")

    assert (tmp_path / "there").read_text() == "precious"
