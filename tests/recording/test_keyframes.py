"""The index beside a cast is a cache: never trusted blindly, never in the way, made again."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from psm_console.recording import channel_replay, indexer, keyframes
from psm_console.recording.cast import CastFile
from psm_console.recording.events import RecordingError
from psm_console.recording.keyframes import load, sidecar
from psm_console.recording.live_index import LiveIndex
from psm_console.recording.recording import Recording

from .making import make_recorder, open_shell
from .test_recording import V3, linear, programs


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "COST", 2000)
    monkeypatch.setattr(indexer, "SHARE", 1.0)
    monkeypatch.setattr(channel_replay, "WORTH_KEEPING", 1000)


def make_cast(root: Path, session: str = "s1", seed: int = 1, length: int = 6000) -> Path:
    recorder = make_recorder(root, session)
    channel = open_shell(recorder)
    recorder.mark(0, "begun")
    for number, chunk in enumerate(programs(random.Random(seed), length)):
        channel.output(number / 50, chunk)
    recorder.close(200, "done")
    return root / session / channel.file


def check(path: Path, *, seeds: int = 6) -> None:
    chance = random.Random(9)
    with Recording.open(path) as recording:
        assert [marker.label for marker in recording.markers] == ["begun"]
        for _ in range(seeds):
            at = chance.random() * 60
            assert recording.screen_at(at).same_as(linear(path, at))


def test_an_index_is_left_beside_a_closed_recording_and_used_again(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    with Recording.open(path):
        pass
    made = sidecar(path)
    stamp = made.stat().st_mtime_ns
    told: list[float] = []

    with Recording.open(path, progress=told.append) as recording:
        index = recording._channels[1]._index

    assert told == []
    assert len(index.keyframes) > 5
    assert made.stat().st_mode & 0o777 == 0o600
    check(path)
    assert made.stat().st_mtime_ns == stamp


def test_making_an_index_tells_how_far_it_is_and_can_be_ended(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    told: list[float] = []

    class Enough(Exception):
        pass

    def tell(share: float) -> None:
        told.append(share)
        if share > 0.4:
            raise Enough

    with pytest.raises(Enough):
        Recording.open(path.parent, progress=tell)

    assert told == sorted(told)
    assert not sidecar(path).exists()
    assert sorted(os.listdir(path.parent)) == ["1-shell.cast", "session.json"]


def test_the_same_cast_gives_the_same_index(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    with Recording.open(path):
        pass
    first = sidecar(path).read_bytes()
    sidecar(path).unlink()
    with Recording.open(path):
        pass

    assert sidecar(path).read_bytes() == first


def test_a_copied_recording_keeps_its_index(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    with Recording.open(path):
        pass
    shutil.copytree(path.parent, tmp_path / "copy")
    told: list[float] = []

    with Recording.open(tmp_path / "copy", progress=told.append):
        assert told == []
    check(tmp_path / "copy" / path.name)


@pytest.mark.attack
def test_a_changed_cast_makes_its_index_worthless(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    with Recording.open(path):
        pass
    text = path.read_bytes()
    # Far before the newest keyframe, so that only a look at everything can see it.
    path.write_bytes(text.replace(b"plain text", b"other text", 20))

    with CastFile(path) as cast:
        assert load(cast) is None
    check(path)


@pytest.mark.attack
def test_an_index_of_another_cast_is_not_used(tmp_path: Path) -> None:
    path, other = make_cast(tmp_path, "s1", 1), make_cast(tmp_path, "s2", 2)
    with Recording.open(other):
        pass
    shutil.copy(sidecar(other), sidecar(path))

    check(path)


@pytest.mark.attack
def test_a_cast_that_is_changed_under_an_open_recording_is_noticed(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    channel.output(0, b"\x1b[9;1Hhonest")
    for number in range(2000):
        channel.output(number, b"\x1b[1;1H%d" % number)
    recorder.close(3000, "done")
    path = tmp_path / "s1" / channel.file
    with Recording.open(path) as recording:
        with path.open("r+b") as file:
            text = file.read()
            file.seek(0)
            file.write(text.replace(b"honest", b"forged"))

        for at in (500, 1000, 1999):
            assert recording.text_at(at)[8] == "forged"


@pytest.mark.attack
def test_a_cut_or_garbled_index_never_shows_a_wrong_screen(tmp_path: Path) -> None:
    path = make_cast(tmp_path, length=2500)
    with Recording.open(path):
        pass
    whole = sidecar(path).read_bytes()
    chance = random.Random(2)
    wanted = linear(path, 10)
    for turn in range(60):
        data = bytearray(whole)
        if turn % 2:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(3):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        sidecar(path).write_bytes(data)

        with Recording.open(path) as recording:
            assert recording.screen_at(10).same_as(wanted)


@pytest.mark.attack
def test_a_forged_keyframe_with_a_right_checksum_does_no_harm(tmp_path: Path) -> None:
    path = make_cast(tmp_path, length=2500)
    with Recording.open(path) as recording:
        frame = recording._channels[1]._index.keyframes[-1]
    with CastFile(path) as cast:
        for snapshot in (b"garbage", frame.snapshot[:-3], b"\x28\xb5\x2f\xfd" + b"\xff" * 40):
            forged = keyframes.Keyframe(frame.position, 0, frame.window, snapshot)
            content = keyframes.beginning(cast) + keyframes.keyframe_record(forged)
            sidecar(path).write_bytes(content)
            check(path, seeds=2)


@pytest.mark.attack
def test_an_index_that_is_a_link_or_a_pipe_is_left_alone(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    (tmp_path / "victim").write_bytes(b"precious")
    sidecar(path).symlink_to(tmp_path / "victim")
    check(path, seeds=1)
    assert (tmp_path / "victim").read_bytes() == b"precious"

    sidecar(path).unlink()
    os.mkfifo(sidecar(path))
    check(path, seeds=1)


def test_an_index_that_is_not_to_be_trusted_is_not_read_and_none_is_left(tmp_path: Path) -> None:
    path = make_cast(tmp_path)

    with Recording.open(path, trust_index=False) as recording:
        assert recording.screen_at(30).same_as(linear(path, 30))

    assert not sidecar(path).exists()


@pytest.mark.fault
def test_a_folder_that_can_not_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_cast(tmp_path)
    monkeypatch.setattr("psm_console.recording.keyframes.os.replace", _refuse)

    check(path)

    assert sorted(os.listdir(path.parent)) == ["1-shell.cast", "session.json"]


def _refuse(*_: object) -> None:
    raise OSError(30, "Read-only file system")


def test_an_index_made_in_turns_is_as_good_as_one_made_at_once(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    recorder.mark(0, "begun")
    path = tmp_path / "s1" / channel.file
    live = LiveIndex(path)
    chance = random.Random(3)
    for number, chunk in enumerate(programs(random.Random(1), 6000)):
        channel.output(number / 50, chunk)
        if chance.random() < 0.1:
            live.advance(chance.choice([100, 1000, 10_000]))
        if chance.random() < 0.01:
            live.close()
            if chance.random() < 0.5:
                os.truncate(sidecar(path), max(sidecar(path).stat().st_size - 5, 0))
            live = LiveIndex(path)
    recorder.close(200, "done")
    while not live.at_end:
        live.advance()
    live.finish()

    with CastFile(path) as cast:
        loaded = load(cast)
    assert loaded is not None
    assert loaded[0].complete is not None
    assert len(loaded[0].keyframes) > 5
    check(path)


def test_an_index_goes_on_inside_a_long_event(tmp_path: Path) -> None:
    path = tmp_path / "long.cast"
    text = "".join(f"\\u001b[3{number % 8}m{number}" for number in range(20_000))
    path.write_bytes(V3 + f'[1, "o", "{text}"]\n'.encode())
    live = LiveIndex(path)
    while not live.at_end:
        live.advance(1 << 20)
    live.close()
    with CastFile(path) as cast:
        loaded = load(cast)
        assert loaded is not None and loaded[0].keyframes[-1].position.skip
    with path.open("ab") as file:
        file.write(b'[1, "o", "after"]\n')

    live = LiveIndex(path)
    while not live.at_end:
        live.advance(1 << 20)

    assert live.screen.same_as(linear(path, 9))
    live.close()


def test_an_index_has_one_writer(tmp_path: Path) -> None:
    path = make_cast(tmp_path)
    live = LiveIndex(path)

    with pytest.raises(RecordingError, match="another process"):
        LiveIndex(path)

    live.close()
    LiveIndex(path).close()


def test_a_recording_that_goes_on_is_taken_in_on_refresh(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    channel.output(1, b"first")
    path = tmp_path / "s1" / channel.file
    with Recording.open(tmp_path / "s1") as recording:
        assert (recording.duration, recording.channels[0].end) == (1, None)
        channel.output(5, b" second")
        recorder.close(9, "done")

        recording.refresh()

        assert recording.text_at(9)[0] == "first second"
        assert recording.text_at(2)[0] == "first"
        assert recording.duration == 9
        assert recording.channels[0].end is not None
    assert path.exists()


def test_keyframes_take_no_more_than_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "COST", 1)
    monkeypatch.setattr(indexer, "SHARE", 0.055)
    path = make_cast(tmp_path, length=60_000)

    with Recording.open(path) as recording:
        frames = recording._channels[1]._index.keyframes

    assert frames
    assert sidecar(path).stat().st_size <= 0.06 * path.stat().st_size + 3000
