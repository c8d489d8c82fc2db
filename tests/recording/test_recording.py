"""Any instant of a recording is exactly what a linear replay shows, whoever wrote the file."""

from __future__ import annotations

import json
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_console.domain.session import Size
from psm_console.recording import indexer, projector
from psm_console.recording.cast import CastFile
from psm_console.recording.events import LINE_LIMIT, Event, RecordingError
from psm_console.recording.facts import BINS, GAPS, Facts
from psm_console.recording.projector import Projector
from psm_console.recording.recording import Recording
from psm_console.recording.source import LineSource, MemoryBytes
from psm_console.terminal import Screen

from .making import make_recorder, open_exec, open_shell


def linear(path: Path, seconds: float) -> Screen:
    """Return the screen of a cast at an instant, fed event by event from the start."""
    cast = CastFile(path)
    size = cast.header.size
    shown = Projector(Screen(size.columns, size.rows, history=0), pty=cast.pty)
    for step in cast.steps():
        if step.event.at_us > round(seconds * 1_000_000):
            break
        shown.show(step.event)
    cast.close()
    return shown.flush()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keyframes at nearly every chance, so that small recordings have many."""
    monkeypatch.setattr(indexer, "COST", 50)
    monkeypatch.setattr(indexer, "SHARE", 1000.0)
    monkeypatch.setattr(projector, "FEED", 64)


def programs(chance: random.Random, length: int) -> list[bytes]:
    """Return chunks of terminal output with whole and cut sequences and characters."""
    made = b"".join(
        chance.choice(
            [
                b"plain text ",
                "ünï€ 漢字 👩‍💻 ".encode(),
                b"\x1b[%dm" % chance.randrange(108),
                b"\x1b[%d;%dH" % (chance.randrange(30), chance.randrange(90)),
                b"\r\n",
                b"\x1b[?1049h",
                b"\x1b[?1049l",
                b"\x1b[2J",
                b"\x1b]0;title\x07",
                b"\xff\xfe",
                b"\x1b[%dS" % chance.randrange(5),
                b"\x1bP+q544e\x1b\\",
            ]
        )
        for _ in range(length)
    )
    chunks = []
    while made:
        cut = chance.choice([1, 3, 40, 400])
        chunks.append(made[:cut])
        made = made[cut:]
    return chunks


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("seed", range(8))
def test_a_seek_shows_what_linear_replay_shows(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder) if seed % 3 else open_exec(recorder)
    at = 0.0
    for chunk in programs(chance, 1500):
        at += chance.choice([0, 0.001, 0.5])
        if chance.random() < 0.03:
            channel.resize(at, Size(chance.randrange(20, 120), chance.randrange(5, 40)))
        channel.output(at, chunk)
    channel.output(at + 1, b"x" * 50_000 + b"\x1b[31mlong")
    recorder.close(at + 2, "done")
    path = tmp_path / "s1" / channel.file

    with Recording.open(tmp_path / "s1") as recording:
        for _ in range(25):
            seconds = chance.random() * recording.duration
            assert recording.screen_at(seconds).same_as(linear(path, seconds)), seconds
        replay = recording._channels[1]
        assert len(replay._index.keyframes) > 20
        assert any(frame.position.skip for frame in replay._index.keyframes)


@pytest.mark.usefixtures("small_steps")
def test_playing_on_from_a_seek_ends_where_linear_replay_ends(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    for number, chunk in enumerate(programs(random.Random(5), 1500)):
        channel.output(number / 100, chunk)
    recorder.close(99, "done")

    with Recording.open(tmp_path / "s1") as recording:
        shown = Projector(recording.screen_at(0.5), pty=recording.pty())
        times = []
        for seconds, event in recording.frames_from(0.5):
            times.append(seconds)
            shown.show(event)

        assert shown.flush().same_as(linear(tmp_path / "s1" / channel.file, 99))
        assert times == sorted(times)
        assert times[0] > 0.5


def test_a_recording_says_when_something_happened(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel, piped = open_shell(recorder, 1), open_exec(recorder, 2, "id")
    channel.output(1, b"$ ")
    recorder.mark(2.5, "held by sue: looks odd", "pause")
    recorder.mark(3, "warn by sue: stop that")
    recorder.mark(4, "lunch")
    channel.output(10, b"x" * 1000)
    channel.exit(11, 3, None)
    piped.error(12, b"one\ntwo")
    recorder.close(20, "done")

    with Recording.open(tmp_path / "s1") as recording:
        assert recording.duration == 20
        assert [(mark.at, mark.label, mark.kind) for mark in recording.markers] == [
            (2.5, "held by sue: looks odd", "pause"),
            (3.0, "warn by sue: stop that", "warn"),
            (4.0, "lunch", ""),
        ]
        assert recording.idle_spans(3.0) == [(1.0, 10.0), (10.0, 20.0)]
        assert recording.activity(20, 1)[10] == pytest.approx(1000)
        assert sum(recording.activity(7, 1)) == pytest.approx(1002)
        assert recording.info["operator"] == "ana"
        first, second = recording.channels
        assert (first.kind, first.pty, first.exit) == ("shell", True, "3")
        assert (second.kind, second.pty, second.command) == ("exec", False, "id")
        assert first.end is not None and first.end.reason == "done"
        assert recording.text_at(15, 2)[:2] == ["one", "two"]
        assert recording.text_at(float("nan"))[0] == ""
        with pytest.raises(RecordingError, match="there is no channel 9"):
            recording.screen_at(1, 9)


def test_what_was_no_text_is_not_thrown_at_the_screen(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    channel.output(1, b"before\n")
    channel.output(2, bytes(range(256)) * 20)
    channel.output(3, b"after\n")
    recorder.close(4, "done")

    with Recording.open(tmp_path / "s1") as recording:
        assert recording.text_at(4)[:3] == ["before", "after", ""]
        assert sum(recording.activity(4)) == pytest.approx(5120 + 13)


V2 = b'{"version": 2, "width": 40, "height": 5, "command": "sh"}\n'
V3 = b'{"version": 3, "term": {"cols": 40, "rows": 5}}\n'


@pytest.mark.parametrize(
    ("content", "first_line", "duration"),
    [
        (b'{"version": 1, "width": 40, "height": 5, "stdout": [[1, "a"], [2.5, "b"]]}', "ab", 3.5),
        (V2 + b'[1, "o", "a"]\n[3.5, "o", "b"]\n', "ab", 3.5),
        (V3 + b'[1, "o", "a"]\n[2.5, "o", "b"]\n', "ab", 3.5),
        (V3 + b'# comment\n\n  \n[1, "o", "a"]\r\nbroken\n[2.5, "o", "b"]', "ab", 3.5),
        (V3 + b'[1, "o", "a"]\n[2.5, "o", "b', "a", 1.0),
        (V2 + b'[1, "o", "a"]\n[0.5, "o", "b"]\n[NaN, "o", "c"]\n[1e999, "o", "d"]\n', "ab", 1.0),
        (
            V3 + b'[-5, "o", "a"]\n[1, "o", "\\ud83d\\ude00"]\n[1, "o", "\\ud83d!"]\n',
            "a😀\ufffd!",
            2.0,
        ),
        (V3 + b'[1, "o", "a"]\n[1, "r", "-1x0"]\n[1, "r", "99999x2"]\n[1, "z", "?"]\n', "a", 4.0),
        (
            V3 + b'[1, "o", "\xff!"]\n[1, "o", {"a": 1}]\n[true, "o", "x"]\n["1", "o", "x"]',
            "\ufffd!",
            1.0,
        ),
        (V3, "", 0.0),
        (V3[:-1], "", 0.0),
    ],
)
def test_casts_of_other_programs_are_read(
    tmp_path: Path, content: bytes, first_line: str, duration: float
) -> None:
    path = tmp_path / "other.cast"
    path.write_bytes(content)

    with Recording.open(path) as recording:
        assert recording.text_at(99)[0] == first_line
        assert recording.duration == pytest.approx(duration)
        screen = recording.screen_at(99)
        assert screen.columns <= 1000 and screen.lines <= 500


@pytest.mark.attack
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\n",
        b"garbage",
        b"\x00" * 1000,
        b'{"version": 4}\n',
        b'{"version": true}\n',
        b'{"version": 3}\n',
        b'{"version": 1, "width": 1e400, "height": 5, "stdout": []}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"version": 3, "term": {}, "x": "' + b"y" * 70_000 + b'"}\n',
        b'{"version":3,"term":{"cols":1,"rows":1},"psm":{"format":99,"session":"x"}}\n',
    ],
)
def test_what_is_no_recording_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.cast"
    path.write_bytes(content)

    with pytest.raises(RecordingError) as refusal:
        Recording.open(path)

    assert len(str(refusal.value)) > 20


@pytest.mark.attack
def test_impossible_sizes_and_times_are_clamped(tmp_path: Path) -> None:
    path = tmp_path / "big.cast"
    header = {"version": 3, "term": {"cols": 10**400, "rows": 10**9}}
    events = (
        '[1e300, "o", "x"]\n[1e17, "r", "999999999x999999999"]\n[1, "r", "' + "9" * 5000 + 'x1"]'
    )
    path.write_text(json.dumps(header) + "\n" + events)

    with Recording.open(path) as recording:
        screen = recording.screen_at(1e300)
        assert (screen.columns, screen.lines) == (1000, 500)
        assert recording.duration < 4e8


@pytest.mark.attack
def test_an_overlong_line_is_passed_over_and_told(tmp_path: Path) -> None:
    path = tmp_path / "long.cast"
    path.write_bytes(V3 + b'[1, "o", "' + b"x" * (17 << 20) + b'"]\n[1, "o", "after"]\n')

    with Recording.open(path) as recording:
        assert recording.text_at(9)[0] == "after"
        assert recording.notes == ["long.cast: 1 lines over 16 MiB were passed over"]
    with Recording.open(path) as recording:
        assert recording.notes == ["long.cast: 1 lines over 16 MiB were passed over"]


@pytest.mark.attack
def test_a_line_without_an_end_is_not_held_in_memory() -> None:
    source = LineSource(MemoryBytes(b"x" * (20 << 20) + b"\nafter\n"))

    for _ in range(18):
        assert source.read(1 << 20) == []

    assert source.offset > LINE_LIMIT
    while not source.at_end:
        lines = source.read(1 << 20)
    assert [line for _, line in lines] == [b"after"]


@pytest.mark.attack
def test_what_is_known_of_a_recording_stays_small_however_long_it_is() -> None:
    facts = Facts()
    for number in range(20_000):
        facts.take(Event(number * 10**9, "o", b"x"))
        facts.take(Event(number * 10**9, "m", "y" * 9999))

    assert len(facts.bins) <= BINS
    assert len(facts.gaps) <= GAPS
    assert len(facts.pack()) < 100_000
    assert sum(facts.activity(10, facts.latest_us)) == pytest.approx(20_000)


def test_a_projector_shows_no_block_of_bytes_that_are_no_text() -> None:
    shown = Projector(Screen(80, 24, history=0))
    shown.show(Event(0, "o", b"garbage", beside=7))
    shown.show(Event(0, "o", b"text"))

    assert shown.flush().row_text(0) == "text"


@pytest.mark.attack
def test_a_recording_cut_or_flipped_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    for number, chunk in enumerate(programs(random.Random(3), 30)):
        channel.output(number, chunk)
    recorder.close(99, "done")
    whole = (tmp_path / "s1" / channel.file).read_bytes()
    path = tmp_path / "x.cast"
    chance = random.Random(4)
    mutants = [whole[:end] for end in range(0, len(whole), 7)]
    for _ in range(300):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(30)] = whole[: chance.randrange(30)]
        mutants.append(bytes(data))
    for mutant in mutants:
        path.write_bytes(mutant)
        try:
            with Recording.open(path) as recording:
                recording.screen_at(50)
                recording.activity(10)
                recording.idle_spans()
        except RecordingError as refusal:
            assert len(str(refusal)) > 10


def test_a_folder_with_one_broken_cast_shows_the_others(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    open_shell(recorder, 1).output(1, b"fine")
    recorder.close(2, "done")
    (tmp_path / "s1" / "2-shell.cast").write_bytes(b"garbage")

    with Recording.open(tmp_path / "s1") as recording:
        assert [channel.number for channel in recording.channels] == [1]
        assert "2-shell.cast is no recording" in recording.notes[0]
    with pytest.raises(RecordingError, match="holds no recording"):
        Recording.open(tmp_path)


def test_a_session_of_very_many_channels_keeps_few_files_open(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    for number in range(1, 81):
        channel = open_exec(recorder, number)
        channel.output(number, b"channel %d" % number)
        channel.close(number + 1)
    recorder.close(100, "done")
    before = len(os.listdir("/dev/fd"))

    with Recording.open(tmp_path / "s1") as recording:
        assert len(recording.channels) == 80
        assert recording.text_at(99, 77)[0] == "channel 77"
        assert len(os.listdir("/dev/fd")) < before + 5
        os.replace(tmp_path / "s1" / "1-exec.cast", tmp_path / "s1" / "2-exec.cast")
        with pytest.raises(RecordingError, match="was replaced"):
            recording.text_at(99, 2)


@settings(max_examples=40, deadline=None)
@given(
    bins=st.integers(1, 50),
    times=st.lists(st.floats(0, 1e7), min_size=1, max_size=40).map(sorted),
)
def test_activity_never_loses_a_byte_however_long_it_lasts(bins: int, times: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = make_recorder(Path(folder))
        channel = open_shell(recorder)
        for at in times:
            channel.output(at, b"0123456789")
        recorder.close(times[-1], "done")
        with Recording.open(Path(folder, "s1")) as recording:
            assert sum(recording.activity(bins)) == pytest.approx(10 * len(times))
