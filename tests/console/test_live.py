"""The list of live sessions."""

from __future__ import annotations

from datetime import UTC, datetime

from psm_console.console.live import LiveScreen
from psm_console.console.session_list import Columns, matches
from psm_console.domain.session import SessionState
from tests.console.driving import console
from tests.console.stage import Stage
from tests.support.waiting import eventually


async def test_a_session_that_begins_appears_in_place_and_one_that_ends_goes(stage: Stage) -> None:
    async with console(stage) as seen:
        await seen.shows("Nobody is connected just now")
        session = stage.session("s-1", "ana", "root@db1")
        await seen.shows("Live sessions · 1")
        await seen.shows("● active")
        session.ends()
        await seen.shows("Nobody is connected just now")


async def test_what_needs_a_look_stands_first_and_says_why(stage: Stage) -> None:
    stage.session("s-1", "ana", age=900)
    stage.session("s-2", "bob", age=10, attention="recording failed")
    async with console(stage, (80, 24)) as seen:
        await seen.shows("recording failed")
        rows = [line for line in seen.lines if "@db1" in line]
        assert "bob" in rows[0] and "‼" in rows[0]
        assert "ana" in rows[1] and "‼" not in rows[1]
        assert "‼ 1 to look at" in seen.lines[0]


async def test_state_is_a_sign_and_a_word(stage: Stage) -> None:
    stage.session("s-1").becomes(SessionState.PAUSED, paused_by="sue", paused_at=datetime.now(UTC))
    async with console(stage) as seen:
        await seen.shows("Ⅱ paused")


async def test_the_filter_keeps_rows_with_all_words_and_none_of_the_excluded(stage: Stage) -> None:
    stage.session("s-1", "ana", "root@db1")
    stage.session("s-2", "bob", "root@db2")
    async with console(stage) as seen:
        await seen.shows("Live sessions · 2")
        await seen.press("slash")
        await seen.types("root !bob")
        await seen.shows("Live sessions · 1 of 2")
        assert "db2" not in "".join(seen.lines[2:6])
        await seen.press("enter", "escape")
        await seen.shows("Live sessions · 2")


async def test_the_cursor_stays_on_its_session_when_others_come_before_it(stage: Stage) -> None:
    stage.session("s-1", "ana", age=10)
    async with console(stage) as seen:
        await seen.shows("ana")
        stage.session("s-0", "older", age=1000)
        await seen.shows("older")
        screen = seen.app.screen
        assert isinstance(screen, LiveScreen)
        chosen = screen.chosen()
        assert chosen is not None and chosen.operator == "ana"


async def test_sorting_by_operator(stage: Stage) -> None:
    stage.session("s-1", "zoe", age=100)
    stage.session("s-2", "ana", age=10)
    async with console(stage) as seen:
        await seen.shows("zoe")
        await seen.press("s", "s")
        await seen.shows("sort operator")
        await seen.shows("OPERATOR ↓")
        rows = [line for line in seen.lines if "● active" in line]
        assert "ana" in rows[0]


async def test_the_selected_sessions_screen_is_shown_beside_and_the_look_is_noted(
    stage: Stage,
) -> None:
    stage.session("s-1").prints(b"hello from the target\r\n")
    async with console(stage) as seen:
        await seen.shows("hello from the target")
        noted = stage.store.audit.list(action="session.shadow")
        assert noted and noted[0].session == "s-1"


async def test_a_preview_is_not_fetched_where_there_is_no_room_for_it(stage: Stage) -> None:
    stage.session("s-1").prints(b"hello\r\n")
    async with console(stage, (80, 24)) as seen:
        await seen.shows("root@db1")
        await seen.pilot.pause(0.4)
        assert not stage.store.audit.list(action="session.shadow")


async def test_when_the_broker_dies_its_sessions_read_lost_and_the_banner_says_since_when(
    stage: Stage,
) -> None:
    stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        stage.stop_broker()
        await seen.shows("✕ lost")
        await seen.shows("No broker is running here")
        assert "as of" in seen.text
        stage.start_broker()
        await seen.shows("● active")
        await seen.hides("No broker is running here")


async def test_a_row_that_did_not_change_is_not_drawn_again(stage: Stage) -> None:
    stage.session("s-1", "ana", age=10)
    stage.session("s-2", "bob", age=5)
    async with console(stage, (80, 24)) as seen:
        await seen.shows("bob")
        screen = seen.app.screen
        assert isinstance(screen, LiveScreen)
        await seen.pilot.pause()
        drawn: list[int] = []
        render = screen.sessions.render_line
        screen.sessions.render_line = lambda y: (drawn.append(y), render(y))[1]  # type: ignore
        stage.store.sessions.set_last_line(stage.store.sessions.get("s-2").id, "changed")
        await seen.shows("changed")
        await eventually(lambda: 2 in drawn)
        assert not {y for y in drawn if y > 2}


def test_columns_fill_every_width_exactly_or_leave_out_what_matters_least() -> None:
    for width in range(40, 200):
        columns = Columns.within(width)
        assert columns.last >= 0 and columns.account >= 8


def test_a_filters_words_are_found_anywhere_in_the_row(stage: Stage) -> None:
    session = stage.session("s-1", "ana", "root@db1", ticket="CHG-7").session
    assert matches(session, "ANA chg-7")
    assert not matches(session, "!ana")
    assert matches(session, "!")
