"""The power fails: what was not brought to the disk is gone, and `verify` says so truly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from psm_console.recording import evidence
from psm_console.recording.cast_check import VerdictWord
from psm_console.recording.signing import Checkpoint
from psm_console.recording.verify import verify

from .making import make_recorder, open_exec, open_shell, read_bytes, trusted

pytestmark = pytest.mark.fault


class Disk:
    """Knows how much of each file the system was told to bring to the disk, fdatasync(2)."""

    def __init__(self) -> None:
        self.kept: dict[int, int] = {}

    def fdatasync(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self.kept[found.st_ino] = found.st_size

    def fail(self, folder: Path) -> None:
        """Leave of each file what the disk surely has."""
        for path in folder.iterdir():
            if path.name != "session.json":
                os.truncate(path, self.kept.get(path.stat().st_ino, 0))


@pytest.fixture
def disk() -> Iterator[Disk]:
    found = Disk()
    seen = {key: getattr(os, key) for key in dir(os)} | {"fdatasync": found.fdatasync}
    with mock.patch.object(evidence, "os", SimpleNamespace(**seen)):
        yield found


@pytest.mark.parametrize("text", [True, False], ids=["text", "bulk"])
@pytest.mark.parametrize("stored", [True, False], ids=["checkpoint-stored", "no-checkpoint"])
def test_what_was_synced_is_there_and_verify_says_that_the_rest_is_not(
    tmp_path: Path, disk: Disk, stored: bool, text: bool
) -> None:
    known: dict[str, tuple[int, str]] = {}

    def store(point: Checkpoint) -> None:
        known[point.file] = (point.offset, point.sha256)

    recorder = make_recorder(tmp_path, on_checkpoint=store)
    channel = open_shell(recorder) if text else open_exec(recorder)
    block = b"0123456789\n" * 50 if text else bytes(range(256)) * 16
    for turn in range(10):
        channel.output(turn / 10, block)
    recorder.sync()
    for turn in range(10, 20):
        channel.output(turn / 10, block)
    if stored:
        recorder.checkpoint(2.0)

    disk.fail(tmp_path / "s1")

    verdict = verify(tmp_path / "s1", trusted=trusted(), known=known)
    assert verdict.word is (VerdictWord.TRUNCATED if stored else VerdictWord.INCOMPLETE)
    alone = verify(tmp_path / "s1", trusted=trusted())
    assert alone.word is VerdictWord.INCOMPLETE
    assert read_bytes(tmp_path / "s1" / channel.file) == block * 10


def test_a_cast_that_reached_the_disk_before_its_bulk_is_truncated(
    tmp_path: Path, disk: Disk
) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_exec(recorder)
    channel.output(0.0, bytes(range(256)) * 16)
    recorder.sync()
    channel.output(1.0, bytes(range(256)) * 16)
    cast = tmp_path / "s1" / channel.file
    disk.kept[cast.stat().st_ino] = cast.stat().st_size

    disk.fail(tmp_path / "s1")

    verdict = verify(tmp_path / "s1", trusted=trusted())
    assert verdict.word is VerdictWord.TRUNCATED and ".bin" in verdict.detail
