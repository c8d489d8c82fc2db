"""Who attaches late sees cell for cell what somebody sees who watched from the start."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from psm_console.domain.session import Size
from psm_console.recording import indexer, live
from psm_console.recording.events import RecordingError
from psm_console.recording.live import Follower, attach
from psm_console.recording.live_index import LiveIndex

from .making import make_recorder, open_exec, open_shell
from .test_recording import linear, programs


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "COST", 2000)
    monkeypatch.setattr(indexer, "SHARE", 1.0)


def test_a_watcher_from_the_start_and_a_late_one_see_the_same(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    path = tmp_path / "s1" / channel.file
    index = LiveIndex(path)
    early = Follower(path)
    for number, chunk in enumerate(programs(random.Random(1), 6000)):
        channel.output(number / 50, chunk)
        if number % 100 == 0:
            channel.resize(number / 50, Size(60 + number % 50, 20))
            index.advance()
            early.advance()
        if number % 250 == 0:
            with Follower(path) as late:
                late.catch_up()
                early.catch_up()
                assert late.screen is not None and early.screen is not None
                assert late.screen.same_as(early.screen)
    screen, tail = attach(path)

    assert screen.same_as(linear(path, 1e6))
    assert tail.behind == 0
    channel.output(999, b"more")
    assert [event.data for event in tail.read()] == [b"more"]
    tail.close()
    early.close()
    index.close()
    recorder.close(1000, "done")


def test_attaching_begins_at_the_newest_keyframe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    for number, chunk in enumerate(programs(random.Random(1), 6000)):
        channel.output(number / 50, chunk)
    path = tmp_path / "s1" / channel.file
    index = LiveIndex(path)
    while not index.at_end:
        index.advance()
    index.close()

    with Follower(path) as follower:
        read = follower.tail.behind
        follower.catch_up()
        assert follower.screen is not None
        assert follower.screen.same_as(linear(path, 1e6))

    assert read < channel.offset / 4
    recorder.close(1000, "done")


def test_one_far_behind_says_so_jumps_and_is_exact_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEHIND", 5000)
    monkeypatch.setattr(live, "_LOOK_AGAIN_S", 0.0)
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    path = tmp_path / "s1" / channel.file
    channel.output(0, b"$ ")
    follower = Follower(path)
    follower.catch_up()
    assert (follower.behind, follower.as_of) == (False, 0.0)
    for number, chunk in enumerate(programs(random.Random(1), 6000)):
        channel.output(1 + number / 50, chunk)
    assert follower.behind
    index = LiveIndex(path)
    while not index.at_end:
        index.advance()
    index.close()

    turns = 0
    while follower.advance(1000):
        turns += 1

    assert not follower.behind
    assert turns * 1000 < channel.offset / 2, "it read everything"
    assert follower.screen is not None
    assert follower.screen.same_as(linear(path, 1e6))
    follower.close()
    recorder.close(1000, "done")


def test_a_channel_without_a_header_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "1-shell.cast"
    path.write_bytes(b'{"version": 3, "term"')
    with Follower(path) as follower:
        assert not follower.advance()
        assert follower.screen is None
        with path.open("ab") as file:
            file.write(b': {"cols": 30, "rows": 4}}\n[1, "o", "hi"]\n[2, "o", "half')

        assert follower.advance()

        assert follower.screen is not None
        assert follower.screen.row_text(0) == "hi"
        assert follower.screen.columns == 30


def test_what_is_no_cast_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.cast").write_bytes(b"garbage\n")

    with pytest.raises(RecordingError, match="can not be read"):
        Follower(tmp_path / "none.cast")
    with Follower(tmp_path / "x.cast") as follower, pytest.raises(RecordingError):
        follower.advance()


def test_a_pipe_is_watched_with_its_lines_at_the_left_edge(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    channel.output(1, b"one\n")
    channel.error(2, b"two\n")
    channel.output(3, b"\0" * 5000)
    channel.close(4, "channel closed")

    with Follower(tmp_path / "s1" / channel.file) as follower:
        follower.catch_up()
        assert follower.screen is not None
        assert [follower.screen.row_text(y) for y in range(3)] == ["one", "two", ""]
        assert follower.end is not None and follower.end.reason == "channel closed"
    recorder.close(5, "done")
