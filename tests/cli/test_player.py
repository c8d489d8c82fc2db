"""Replay on a terminal: keys move through time, and recorded bytes never reach it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psm_console.cli.keyboard import _keys
from psm_console.demo import library
from tests.support.terminal import PtyProcess

SAMPLES = Path(__file__).resolve().parents[2] / "sample_sessions"
_ODD = b"\x1b]52;c;cm0gLXJmIC8=\x07"


def _sample(holding: bytes) -> Path:
    """Return the sample whose cast holds these bytes."""
    for cast in sorted(SAMPLES.glob("*/1-shell.cast")):
        if holding in cast.read_bytes():
            return cast.parent
    raise AssertionError(f"no sample holds {holding!r}")


@pytest.fixture
def player() -> Iterator[PtyProcess]:
    """Replay tom's session, whose markers say what supervisors did."""
    argv = [sys.executable, "-m", "psm_console.cli", "recording", "play"]
    env = os.environ | {"TERM": "xterm-256color"}
    path = _sample(b"warn by local")
    with PtyProcess([*argv, str(path), "--speed", "2"], columns=100, rows=32, env=env) as running:
        yield running


def test_a_replay_draws_seeks_stops_and_leaves(player: PtyProcess) -> None:
    player.wait_for("unset HISTFILE")
    player.type(" ")
    player.wait_for("■ 0:0")
    player.type("G")
    at = player.wait_for("history -c")
    player.type("g")
    player.wait_for("■ 0:00:00", after=at)
    player.type(">")
    player.wait_for("4×")
    player.type("]")
    player.wait_for("cat backup/shadow.bak", after=at)
    player.type("q")

    assert player.wait_exit() == 0
    assert player.output.rstrip().endswith(b"\x1b[?1049l")


@pytest.mark.attack
def test_hostile_output_is_replayed_as_a_picture_of_itself() -> None:
    path = _sample(b"cm0gLXJmIC8=")
    argv = [sys.executable, "-m", "psm_console.cli", "recording", "play", str(path)]
    env = os.environ | {"TERM": "xterm-256color"}
    with PtyProcess([*argv, "--speed", "16"], columns=90, rows=30, env=env) as player:
        player.wait_for("the clipboard stays as it was", within_s=20)
        player.type("q")
        assert player.wait_exit() == 0

    assert b"\x1b]" not in player.output, "an OSC came through"
    assert "\u202e" not in player.text and "\u200b" not in player.text


def test_keys_are_told_apart_even_when_they_come_together() -> None:
    assert _keys("\x1b[C\x1b[Dq") == ["right", "left", "q"]
    assert _keys("\x1bOA ") == ["up", "space"]
    assert _keys("\x1b") == ["escape"]


def test_the_samples_stand_where_the_demo_looks_for_them() -> None:
    assert library.samples() == SAMPLES
