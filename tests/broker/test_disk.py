"""A disk that fills: told of, then no session more, while those that live go on."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from psm_console.broker.disk import Disk
from psm_console.domain.policy import RecordingPolicy

from .stand import Stand

pytestmark = pytest.mark.fault


def with_free(monkeypatch: pytest.MonkeyPatch, part: float) -> None:
    """Have every file system say that `part` of it is free."""
    found = SimpleNamespace(f_bavail=int(part * 1000), f_blocks=1000)
    monkeypatch.setattr(os, "statvfs", lambda _: found)


def test_no_session_begins_below_the_refused_part_and_a_live_one_goes_on(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand.client.terminal(stand.user, "stty -echo; echo ready; cat") as tty:
        tty.wait_for("ready")
        with_free(monkeypatch, 0.04)
        refused = stand.client.run(stand.user, "id")
        assert refused.returncode == 255 and refused.stdout == b""
        assert b"can not be recorded at the moment" in refused.stderr
        tty.type(b"still here\n")
        tty.wait_for("still here")
        with_free(monkeypatch, 0.06)
        assert stand.client.run(stand.user, "echo room").stdout == b"room\n"


def test_a_low_disk_is_told_of_once_and_its_recovery_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, policy = Disk(tmp_path), RecordingPolicy()
    heard = []
    for part in (0.5, 0.14, 0.14, 0.1505, 0.14, 0.2, 0.2):
        with_free(monkeypatch, part)
        heard.append(disk.news(policy))
    assert [news and news[0] for news in heard] == [
        None,
        "disk.low",
        None,
        None,
        None,
        "disk.recover",
        None,
    ]


def test_a_disk_that_does_not_answer_has_no_room(tmp_path: Path) -> None:
    assert not Disk(tmp_path / "gone").has_room(RecordingPolicy())
