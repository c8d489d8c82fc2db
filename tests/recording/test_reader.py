"""A tail gives exact bytes as they are written, from any place, and survives what is hostile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from psm_console.recording.events import Event, RecordingError
from psm_console.recording.reader import Position, Tail

from .making import make_recorder, open_exec, open_shell, read_bytes

V3 = b'{"version": 3, "term": {"cols": 40, "rows": 5}}\n'


def test_a_line_is_returned_once_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "x.cast"
    whole = V3 + '[1, "o", "ä"]\n# psm raw /w==\n[0.5, "o", "\ufffd"]\n'.encode()
    path.write_bytes(b"")
    found: list[Event] = []
    with Tail(path) as tail, path.open("ab", buffering=0) as file:
        for byte in whole:
            file.write(bytes([byte]))
            found += tail.read()
            assert tail.at_end

        assert tail.header is not None and tail.header.size.columns == 40
        assert (tail.offset, tail.at_us, tail.behind) == (len(whole), 1_500_000, 0)
    assert found == [Event(1_000_000, "o", "ä".encode()), Event(1_500_000, "o", b"\xff")]


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
def test_reading_in_pieces_of_any_size_gives_the_same(tmp_path: Path, size: int) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    for number in range(20):
        channel.output(number, b"text %d \xff" % number)
        channel.output(number, bytes(range(256)) * 5)
    recorder.close(30, "done")
    path = tmp_path / "s1" / channel.file
    found = b""
    with Tail(path) as tail:
        while not tail.at_end:
            found += b"".join(event.data for event in tail.read(size) if event.code == "o")  # type: ignore[misc]
        assert tail.end is not None and tail.end.ledger["output_bytes"] == len(found)

    assert found == read_bytes(path)


def test_reading_goes_on_from_a_place_between_and_inside_events(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    channel.output(1, b"first")
    place = channel.offset
    channel.output(2.5, b"second")
    channel.output(4, b"third")
    path = tmp_path / "s1" / channel.file

    with Tail(path, Position(place, 1_000_000, 3)) as tail:
        events = tail.read()

    assert events == [Event(2_500_000, "o", b"ond"), Event(4_000_000, "o", b"third")]
    recorder.close(5, "done")


@pytest.mark.attack
@pytest.mark.parametrize(
    "block",
    [
        b'{"at":1,"code":"o","bytes":5,"offset":18446744073709551615}',
        b'{"at":1,"code":"o","bytes":18446744073709551615,"offset":0}',
        b'{"at":1,"code":"o","bytes":-5,"offset":0}',
        b'{"at":1,"code":"q","bytes":5,"offset":0}',
        b'{"at":1e400,"code":"o","bytes":5,"offset":0}',
        b'{"at":1,"code":"o","bytes":5,"offset":0,"x":' + b"[" * 5000,
        b"null",
    ],
)
def test_a_block_that_can_not_be_is_passed_over(tmp_path: Path, block: bytes) -> None:
    path = tmp_path / "x.cast"
    path.write_bytes(V3 + b"# psm bin " + block + b'\n[2, "o", "after"]\n')
    (tmp_path / "x.bin").write_bytes(b"0123456789")

    with Tail(path) as tail:
        events = tail.read()

    assert events[-1].data == b"after"
    assert sum(len(event.data) for event in events) <= 15


@pytest.mark.attack
def test_a_pipe_a_link_and_nothing_are_refused_without_waiting(tmp_path: Path) -> None:

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name, why in (("pipe", "not a regular file"), ("link", "can not be read"), ("none", "No")):
        with pytest.raises(RecordingError, match=why):
            Tail(tmp_path / name)
