"""The library, and any instant of a recording."""

from __future__ import annotations

import pytest

from psm_console.console import library
from psm_console.console.recording_list import Search
from psm_console.console.replay import ReplayScreen
from psm_console.domain.inventory import Role
from psm_console.recording.recording import Recording
from tests.console.driving import Console, console
from tests.console.stage import Stage, StagedSession
from tests.support.waiting import eventually


def recorded(stage: Stage, session_id: str = "s-1", operator: str = "ana") -> StagedSession:
    """A closed recording: a line each second, an idle minute, a pause and a termination."""
    session = stage.session(session_id, operator, "root@db1", reason="restore", ticket="CHG-7")
    for number in range(20):
        session.prints(f"line {number}\r\n".encode(), after=1.0)
    session.marks("paused by sue: look", kind="pause")
    session.prints(b"after the idle minute\r\n", after=60.0)
    session.marks("terminated by sue: dd", after=1.0, kind="terminate")
    session.ends("dd on /dev/sda", "sue")
    return session


def drawn(seen: Console) -> list[str]:
    """The rows of the replayed terminal."""
    screen = seen.app.screen
    assert isinstance(screen, ReplayScreen)
    view = screen.frame.view
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def playback_at(seen: Console) -> float:
    """Where the replay stands."""
    screen = seen.app.screen
    assert isinstance(screen, ReplayScreen)
    return screen.playback.at


async def test_the_library_lists_recordings_and_finds_them_by_word_operator_and_date(
    stage: Stage,
) -> None:
    recorded(stage, "s-1", "ana")
    recorded(stage, "s-2", "bob")
    async with console(stage) as seen:
        await seen.press("2")
        await seen.shows("Recordings · 2")
        assert "dd on /dev/sda (sue)" in seen.text and "■ closed" in seen.text
        await seen.press("slash")
        await seen.types("operator:bob")
        await seen.shows("Recordings · 1 of 2")
        await seen.press("escape")
        await seen.press("slash")
        await seen.types("since:2090")
        await seen.shows("No recording has")


async def test_a_library_with_nothing_in_it_says_what_would_fill_it(stage: Stage) -> None:
    async with console(stage) as seen:
        await seen.press("2")
        await seen.shows("Nothing was recorded yet")


async def test_the_screen_is_exact_at_every_instant_that_is_sought(stage: Stage) -> None:
    session = recorded(stage)
    async with console(stage, link="psm://session/s-1@5.5") as seen:
        await seen.shows("line 4")
        assert "line 5" not in seen.text
        await seen.press("right")
        await seen.shows("line 9")
        await seen.press("9")
        await seen.shows("line 19")
        with Recording.open(stage.home.recording(session.id)) as recording:
            expected = recording.text_at(playback_at(seen))
        rows = drawn(seen)
        assert rows == expected[: len(rows)]
        await seen.press("home")
        await seen.hides("line 0")


async def test_markers_are_listed_and_jumped_to(stage: Stage) -> None:
    recorded(stage)
    async with console(stage, link="psm://session/s-1@0") as seen:
        await seen.shows("Markers · 2")
        await seen.press("right_square_bracket")
        await seen.shows("▶ 00:00:20")
        await seen.shows("line 19")
        await seen.press("right_square_bracket")
        await seen.shows("▶ 00:01:21")
        await seen.press("left_square_bracket")
        await seen.shows("▶ 00:00:20")


async def test_playing_moves_and_skips_what_is_idle(stage: Stage) -> None:
    recorded(stage)
    async with console(stage, link="psm://session/s-1@19") as seen:
        await seen.shows("■ stopped")
        await seen.press("greater_than_sign", "greater_than_sign")
        await seen.shows("4×")
        await seen.press("space")
        await seen.shows("▶ playing")
        await seen.shows("after the idle minute")
        await eventually(lambda: playback_at(seen) > 79.0)


async def test_a_step_goes_to_the_next_change_and_to_the_one_before(stage: Stage) -> None:
    recorded(stage)
    async with console(stage, link="psm://session/s-1@5.5") as seen:
        await seen.shows("line 4")
        await seen.press("full_stop")
        await seen.shows("line 5")
        assert playback_at(seen) == 6.0
        await seen.press("comma")
        await seen.hides("line 5")
        assert playback_at(seen) == 5.0


async def test_a_click_on_the_bar_seeks_there(stage: Stage) -> None:
    recorded(stage)
    async with console(stage, link="psm://session/s-1@0") as seen:
        await seen.shows("Markers · 2")
        await seen.pilot.click("#bar", offset=(119, 1))
        await eventually(lambda: playback_at(seen) > 80.0)
        await seen.shows("after the idle minute")


async def test_what_was_written_is_verified_and_what_was_changed_is_told(stage: Stage) -> None:
    session = recorded(stage)
    async with console(stage, link="psm://session/s-1@0") as seen:
        await seen.shows("OK")
        cast = stage.home.recording(session.id) / session.channel.file
        cast.write_bytes(cast.read_bytes().replace(b"line 3", b"line 8"))
        await seen.press("v")
        await seen.shows("CORRUPT")


async def test_who_may_not_replay_is_told_and_shown_nothing(stage: Stage) -> None:
    recorded(stage)
    admin = stage.identity("adam", Role.ADMIN)
    async with console(stage, actor=admin) as seen:
        await seen.press("2")
        await seen.shows("Recordings · 1")
        await seen.press("enter")
        await seen.shows("may not")
        assert "line 1" not in seen.text


async def test_a_recording_that_is_gone_is_a_sentence(stage: Stage) -> None:
    session = recorded(stage)
    for path in stage.home.recording(session.id).iterdir():
        path.unlink()
    async with console(stage, link="psm://session/s-1@0") as seen:
        await seen.shows("✘")


def test_a_search_is_read_as_keys_and_words() -> None:
    found = Search.parse("operator:ANA since:2026-11 vim x:y")
    assert found == Search(("vim", "x:y"), operator="ana", since="2026-11")


async def test_a_search_finds_what_is_older_than_the_newest_that_are_listed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "NEWEST", 2)
    for number in range(4):
        stage.session(f"s-{number}", f"op{number}", age=1000 - number).ends()
    async with console(stage) as seen:
        await seen.press("2")
        await seen.shows("Recordings · 2 newest")
        assert "op0" not in seen.text
        await seen.press("slash")
        await seen.types("op0")
        await seen.shows("Recordings · 1 of 3 newest")


def test_what_the_store_can_look_for_is_taken_from_a_search() -> None:
    wanted = Search.parse("operator:an vim target:db1 since:2026-11").wanted()
    assert (wanted["operator"], wanted["text"]) == ("*an*", "vim")
    assert wanted["since"].strftime("%Y-%m-%d") == "2026-11-01"
    assert Search.parse("since:2026-02-31").wanted()["since"] is None
