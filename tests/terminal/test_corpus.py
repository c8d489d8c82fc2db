"""The engine against real recordings of which two other emulators know the final text."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from psm_console.terminal import Screen

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "terminal.jsonl.gz"


def recordings() -> list[dict[str, Any]]:
    if not CORPUS.exists():
        return []
    with gzip.open(CORPUS, "rt") as lines:
        return [json.loads(line) for line in lines]


RECORDINGS = recordings()
pytestmark = pytest.mark.skipif(not RECORDINGS, reason=f"no corpus at {CORPUS}")


def played(recording: dict[str, Any], chunk: int) -> Screen:
    """The screen after the whole recording, fed in chunks of so many bytes."""
    screen = Screen(recording["cols"], recording["rows"])
    for code, data in recording["events"]:
        if code == "r":
            screen.resize(data[1], data[0])
            continue
        raw = base64.b64decode(data)
        for at in range(0, len(raw), chunk):
            screen.feed(raw[at : at + chunk])
    return screen


def differences(screen: Screen, recording: dict[str, Any]) -> list[str]:
    """What is not as the references have it, a line each, ready to be read."""
    shown = [line.rstrip() for line in screen.display]
    lines = [
        f"{recording['name']} line {y}: shows {ours!r}, should show {theirs!r}"
        for y, (ours, theirs) in enumerate(zip(shown, recording["screen"], strict=True))
        if ours != theirs
    ]
    cursor = [screen.cursor.x, screen.cursor.y]
    if cursor != recording["cursor"]:
        lines.append(f"{recording['name']}: cursor {cursor}, should be {recording['cursor']}")
    return lines


@pytest.mark.parametrize("chunk", [65536, 7])
def test_the_final_text_is_what_the_references_agree_on(chunk: int) -> None:
    report = []
    for recording in RECORDINGS:
        if recording["agreed"] is not False and (chunk > 7 or len(recording["events"]) < 20):
            report += differences(played(recording, chunk), recording)

    assert not report, "\n".join(report)


def test_every_recording_survives_keyframe_and_dump() -> None:
    for recording in RECORDINGS:
        screen = played(recording, 65536)

        rebuilt = Screen(screen.columns, screen.lines)
        rebuilt.feed(screen.dump())

        assert Screen.restore(screen.snapshot()).same_as(screen), recording["name"]
        assert rebuilt.same_as(screen), recording["name"]
