"""Every byte that went by is in the cast, in whatever chunks and encodings it came."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psm_console.domain.policy import InputRecording, RecordingPolicy
from psm_console.domain.session import Ledger, Size
from psm_console.recording.events import RecordingError
from psm_console.recording.signing import Checkpoint

from .making import make_recorder, open_exec, open_shell, read_bytes, read_events

awkward = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"\xe2", b"\x82", b"\xac", b"\xf0\x9f", b"\x98\x80", b"\xed\xa0\x80"]),
        st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.binary(min_size=1100, max_size=1200),
    ),
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@given(chunks=awkward, pty=st.booleans(), errors=st.booleans())
def test_decoding_gives_back_every_byte_of_any_chunks(
    chunks: list[bytes], pty: bool, errors: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = make_recorder(Path(folder))
        channel = open_shell(recorder) if pty else open_exec(recorder)
        for number, chunk in enumerate(chunks):
            channel.output(number / 10, chunk)
            if errors:
                channel.error(number / 10, chunk[::-1])
        recorder.close(99, "done")
        path = Path(folder, "s1", channel.file)

        assert read_bytes(path) == b"".join(chunks)
        assert read_bytes(path, "e") == (b"".join(c[::-1] for c in chunks) if errors else b"")


@settings(max_examples=30, deadline=None)
@given(chunks=awkward)
def test_each_byte_is_readable_as_soon_as_the_call_returned(chunks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorder = make_recorder(Path(folder))
        channel = open_shell(recorder)
        path = Path(folder, "s1", channel.file)
        sent = b""
        for chunk in chunks[:8]:
            channel.output(0, chunk)
            sent += chunk
            assert read_bytes(path) == sent
        recorder.close(1, "done")


def test_a_player_that_skips_comments_sees_characters_whole(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    for byte in "a€b".encode():
        channel.output(1.5, bytes([byte]))
    channel.output(2, b"\xff!")
    recorder.close(3, "done")

    lines = (tmp_path / "s1" / channel.file).read_text().split("\n")
    events = [json.loads(line) for line in lines[1:] if line.startswith("[")]
    assert [event[2] for event in events] == ["a", "€", "b", "\ufffd!"]
    assert sum(event[0] for event in events) == pytest.approx(2)


def test_bulk_that_is_no_text_lies_beside_the_cast_with_its_hash(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    blob = bytes(range(256)) * 16
    channel.output(1, b"text\n")
    channel.output(2, blob)
    channel.output(3, b"\0" * 5000)
    recorder.close(4, "done")

    folder = tmp_path / "s1"
    assert (folder / "1-exec.bin").read_bytes() == blob + b"\0" * 5000
    notes = [
        json.loads(line.removeprefix("# psm bin "))
        for line in (folder / channel.file).read_text().split("\n")
        if line.startswith("# psm bin ")
    ]
    assert notes[0] == {
        "at": 2.0,
        "code": "o",
        "offset": 0,
        "bytes": 4096,
        "sha256": hashlib.sha256(blob).hexdigest(),
    }
    assert [(event.at_us, event.code) for event in read_events(folder / channel.file)] == [
        (1_000_000, "o"),
        (2_000_000, "o"),
        (3_000_000, "o"),
    ]
    assert channel.ledger == Ledger(output_bytes=9101, input_recorded="bytes", raw_bytes=9096)


def test_past_its_quota_a_channel_keeps_hashes_and_says_so(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path, policy=RecordingPolicy(quota_bytes=10))
    channel = open_shell(recorder)
    channel.output(1, b"0123456789")
    channel.output(2, b"beyond")
    channel.output(3, b"!")
    recorder.close(4, "done")

    text = (tmp_path / "s1" / channel.file).read_text()
    digests = [json.loads(line[13:]) for line in text.split("\n") if line[:13] == "# psm digest "]
    assert [digest["sha256"] for digest in digests] == [
        hashlib.sha256(b"beyond").hexdigest(),
        hashlib.sha256(b"beyond!").hexdigest(),
    ]
    assert "quota reached" in text
    assert channel.ledger.digest_bytes == 7
    assert channel.ledger.output_bytes == 17


@pytest.mark.parametrize(
    ("mode", "pty", "kept"),
    [
        (InputRecording.NEVER, True, False),
        (InputRecording.NEVER, False, False),
        (InputRecording.PIPES, True, False),
        (InputRecording.PIPES, False, True),
        (InputRecording.ALWAYS, True, True),
        (InputRecording.ALWAYS, False, True),
    ],
)
def test_input_is_kept_only_where_policy_says_so(
    tmp_path: Path, mode: InputRecording, pty: bool, kept: bool
) -> None:
    recorder = make_recorder(tmp_path, policy=RecordingPolicy(input=mode))
    channel = open_shell(recorder) if pty else open_exec(recorder)
    channel.input(1.234, b"hunter2")
    recorder.close(2, "done")

    path = tmp_path / "s1" / channel.file
    assert ("hunter2" in path.read_text()) is kept
    assert read_bytes(path, "i") == (b"hunter2" if kept else b"")
    assert channel.ledger.input_bytes == 7
    assert channel.ledger.input_recorded == ("bytes" if kept else "counts")


@pytest.mark.attack
def test_counted_typing_shows_no_rhythm(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    for at in (1.012, 1.034, 1.099, 1.101):
        channel.input(at, b"x")
    channel.discarded(3)
    recorder.close(2, "done")

    notes = [
        json.loads(line[9:])
        for line in (tmp_path / "s1" / channel.file).read_text().split("\n")
        if line.startswith("# psm in ")
    ]
    assert [note["at"] for note in notes] == [1.0, 1.0, 1.0, 1.1]
    assert channel.ledger.discarded_bytes == 3


def test_a_storm_of_resizes_leaves_few_lines_and_the_right_size(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    for step in range(2000):
        channel.resize(1 + step / 10000, Size(80 + step % 50, 24))
    channel.output(2, b"x")
    recorder.close(3, "done")

    events = read_events(tmp_path / "s1" / channel.file)
    sizes = [event for event in events if event.code == "r"]
    assert len(sizes) <= 6
    assert sizes[-1].data == "129x24"
    assert events.index(sizes[-1]) < len(events) - 1


def test_time_never_goes_back(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder, at=1)
    for at in (5.0, 3.0, 5.000001, 4.0):
        channel.output(at, b"x")
    recorder.close(6, "done")

    times = [event.at_us for event in read_events(tmp_path / "s1" / channel.file)]
    assert times == [5_000_000, 5_000_000, 5_000_001, 5_000_001]


def test_how_a_program_ended_is_an_integer_and_a_marker(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    channel.exit(1, None, "TERM")
    channel.exit(2, 255, None)
    recorder.close(3, "done")

    events = read_events(tmp_path / "s1" / channel.file)
    assert [(event.code, event.data) for event in events] == [
        ("m", "ended by signal TERM"),
        ("x", "255"),
    ]


@pytest.mark.attack
def test_a_hostile_command_and_label_stay_inside_their_json_strings(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    hostile = 'x\n# psm end {"at":0}\n\x1b]52;c;AAAA\x07"\udcff'
    channel = open_exec(recorder, command=hostile * 500)
    channel.mark(1, hostile)
    recorder.close(2, "done")

    lines = (tmp_path / "s1" / channel.file).read_bytes().split(b"\n")
    assert len(lines[0]) < 65536
    assert [line[:10] for line in lines] == [
        b'{"version"',
        b"# psm comm",
        b"# psm sig ",
        b"[1.000000,",
        b"# psm end ",
        b"# psm sig ",
        b"",
    ]
    assert json.loads(lines[1][14:])["text"].startswith("x\n# psm end")


def test_checkpoints_come_by_time_by_size_and_when_asked(tmp_path: Path) -> None:
    points: list[Checkpoint] = []
    policy = RecordingPolicy(checkpoint_bytes=10_000, checkpoint_s=10)
    recorder = make_recorder(tmp_path, policy=policy, on_checkpoint=points.append)
    channel = open_shell(recorder)
    counts = [len(points)]
    channel.output(1, b"x")
    recorder.tick(2)
    counts.append(len(points))
    channel.output(3, b"x" * 10_000)
    counts.append(len(points))
    channel.output(4, b"x")
    recorder.tick(12.9)
    recorder.tick(13.1)
    recorder.tick(40)
    counts.append(len(points))
    recorder.checkpoint(41)
    channel.output(42, b"x")
    recorder.checkpoint(42)
    counts.append(len(points))
    recorder.close(50, "done")

    assert counts == [1, 1, 2, 3, 4]
    content = (tmp_path / "s1" / channel.file).read_bytes()
    for point in points:
        assert hashlib.sha256(content[: point.offset]).hexdigest() == point.sha256


def test_an_oversized_chunk_becomes_events_that_a_seek_can_stop_between(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    data = "é".encode() * 100_001 + b"!"
    channel.output(1, data)
    recorder.close(2, "done")

    path = tmp_path / "s1" / channel.file
    assert max(len(event.data) for event in read_events(path)) <= 65536
    assert read_bytes(path) == data


def test_a_closed_channel_takes_nothing_and_leaves_the_others_alone(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    first, second = open_shell(recorder, 1), open_exec(recorder, 2)
    first.close(1)
    first.close(1)

    with pytest.raises(RecordingError, match=r"1-shell\.cast is closed"):
        first.output(2, b"late")
    second.output(2, b"fine")
    seal = recorder.close(3, "done")

    assert seal.failure is None
    assert read_bytes(tmp_path / "s1" / second.file) == b"fine"


def test_a_cut_character_is_kept_when_nothing_follows(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    channel.output(1, b"caf\xc3")
    recorder.close(2, "done")

    text = (tmp_path / "s1" / channel.file).read_text()
    assert f"# psm part {base64.b64encode(bytes([0xC3])).decode()}\n" in text
    assert read_bytes(tmp_path / "s1" / channel.file) == b"caf\xc3"
