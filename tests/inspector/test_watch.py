"""What the inspector says of one channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from psm_console.inspector.watch import ChannelWatch
from tests.recording.making import make_recorder, open_shell


@pytest.mark.attack
def test_a_last_line_is_clean_before_it_leaves_the_watch(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    channel.output(1, "\u202elive\u200b\u202c ".encode() + b"word " * 10)
    watch = ChannelWatch(tmp_path / "s1" / channel.file)

    watch.work(1.0)

    assert watch.last_line().isprintable()
    assert "\\u202e" in watch.last_line()
    recorder.close(2, "done")
    watch.finish()


def test_a_screen_without_text_has_an_empty_last_line(tmp_path: Path) -> None:
    recorder = make_recorder(tmp_path)
    channel = open_shell(recorder)
    channel.output(1, b"gone\x1b[2J")
    watch = ChannelWatch(tmp_path / "s1" / channel.file)

    watch.work(1.0)

    assert (watch.last_line(), watch.behind, watch.ended) == ("", False, False)
    recorder.close(2, "done")
    watch.work(1.0)
    assert watch.ended
    watch.finish()
