"""The power fails under a live session: what the broker has brought to the disk by then."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from psm_console.operations.recordings import trusted_keys
from psm_console.recording import evidence
from psm_console.recording.cast_check import VerdictWord
from psm_console.recording.verify import verify
from tests.support.waiting import eventually_sync

from .stand import Stand
from .test_faults import decoded
from .visiting import House

pytestmark = pytest.mark.fault

SYNCS = 5
BETWEEN_S = 2.0
"""The promise is about a second; the rest is for a busy machine, and the quickest counts."""


class Synced:
    """Notes when fdatasync(2) of a file that still grows began, and how far the file was."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, int, int]] = []

    def __call__(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self.calls.append((time.monotonic(), found.st_ino, found.st_size))
        os.fdatasync(descriptor)

    def of(self, path: Path) -> list[tuple[float, int]]:
        """The calls for the file at `path`: when, and how many bytes were safe then."""
        inode = path.stat().st_ino
        return [(at, size) for at, number, size in self.calls if number == inode]


@pytest.fixture(scope="module")
def shared_stand() -> Iterator[Stand]:
    """A broker with keys that `verify` trusts."""
    with House() as running:
        yield running


def test_what_a_live_session_prints_is_on_the_disk_about_a_second_later(
    stand: Stand, tmp_path: Path
) -> None:
    synced = Synced()
    seen = {key: getattr(os, key) for key in dir(os)} | {"fdatasync": synced}
    with mock.patch.object(evidence, "os", SimpleNamespace(**seen)):
        process = stand.popen("while :; do echo tick; sleep 0.05; done")
        assert process.stdout is not None and process.stdout.readline() == b"tick\n"
        session = stand.session()
        cast = stand.recording(session) / "1-exec.cast"
        eventually_sync(lambda: len(synced.of(cast)) > SYNCS, what="the recording to be synced")
        calls = synced.of(cast)
        known = stand.read(lambda store: store.recordings.known(session.id))
        # The power fails here: of the cast there is what was synced, and no more.
        left = tmp_path / session.id
        shutil.copytree(stand.recording(session), left)
        os.truncate(left / cast.name, calls[-1][1])
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(calls)]
    assert min(gaps) < BETWEEN_S
    verdict = verify(left, trusted=trusted_keys(stand.home), known=known)
    assert verdict.word in (VerdictWord.INCOMPLETE, VerdictWord.TRUNCATED), verdict
    assert set(decoded(left / cast.name).splitlines()) == {b"tick"}
