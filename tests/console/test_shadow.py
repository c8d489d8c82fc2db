"""Watching one session."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from psm_console.console import desk as desk_module
from psm_console.console.desk import Desk
from psm_console.console.feed import LiveFeed, News
from psm_console.console.pane import channel_to_watch
from psm_console.console.shadow import ShadowScreen
from psm_console.domain.inventory import Role
from psm_console.domain.session import Directive, SessionState
from psm_console.operations import start_watching
from psm_console.operations.sessions import Watch
from psm_console.recording.live import Follower, attach
from tests.console.driving import Console, console
from tests.console.stage import Stage, now
from tests.support.waiting import eventually


def picture(seen: Console) -> list[str]:
    """The rows of the watched terminal as they are drawn."""
    screen = seen.app.screen
    assert isinstance(screen, ShadowScreen)
    view = screen.pane.frame.view
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def test_enter_shows_the_selected_session_with_who_it_is_above_it(stage: Stage) -> None:
    stage.session("s-1", "ana", "root@db1", reason="restore", ticket="CHG-7").prints(b"$ make\r\n")
    async with console(stage) as seen:
        await seen.shows("● active")
        await seen.press("enter")
        await seen.shows("● LIVE")
        await seen.shows("$ make")
        assert "ana → root@db1" in seen.lines[1]
        assert "restore · CHG-7" in seen.lines[2]


async def test_a_console_that_attaches_late_shows_what_one_from_the_start_shows(
    stage: Stage,
) -> None:
    session = stage.session("s-1", size=(60, 20))
    session.prints(b"\x1b[?1049h\x1b[2J\x1b[5;10H\x1b[1;31mred\x1b[0m \xe6\xbc\xa2\xe5\xad\x97 x")
    async with console(stage, link="psm://session/s-1") as early:
        await early.shows("red 漢字 x")
        session.prints(b"\x1b[7;1Hsecond\x1b[?25l")
        await early.shows("second")
        first = picture(early)
    async with console(stage, link="psm://session/s-1") as late:
        await late.shows("second")
        assert picture(late) == first
    screen, tail = attach(stage.home.recording("s-1") / session.channel.file)
    tail.close()
    assert [line.rstrip() for line in screen.display] == first


async def test_new_output_appears_without_a_key(stage: Stage) -> None:
    session = stage.session("s-1")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("● LIVE")
        session.prints(b"first\r\n")
        await seen.shows("first")
        session.prints(b"second\r\n")
        await seen.shows("second")


async def test_the_operators_new_window_size_is_taken_over(stage: Stage) -> None:
    session = stage.session("s-1", size=(80, 24))
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("80×24")
        session.resizes(60, 10)
        await seen.shows("60×10")


async def test_the_crop_follows_the_cursor_until_somebody_pans(stage: Stage) -> None:
    session = stage.session("s-1", size=(110, 50))
    session.prints(b"\x1b[1;1Hcorner\x1b[50;100Hfar away")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("far away")
        assert "corner" not in "\n".join(picture(seen))
        await seen.press(*"hhhhhkkkkk")
        await seen.shows("corner")
        assert "held, 0 follows" in seen.text
        session.prints(b"!")
        await seen.press("0")
        await seen.shows("far away")


async def test_a_paused_session_says_by_whom_and_that_the_program_runs_on(stage: Stage) -> None:
    session = stage.session("s-1")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("● LIVE")
        session.becomes(SessionState.PAUSED, paused_by="sue", paused_at=datetime.now(UTC))
        await seen.shows("Ⅱ PAUSED by sue · the program on the target runs on")


async def test_a_session_that_ends_is_told_and_its_last_screen_stays(stage: Stage) -> None:
    session = stage.session("s-1")
    session.prints(b"last words\r\n")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("last words")
        session.ends("logout")
        await seen.shows("■ ENDED · logout")
        assert "last words" in seen.text


async def test_a_lost_session_is_shown_as_lost_with_what_was_recorded(stage: Stage) -> None:
    session = stage.session("s-1")
    session.prints(b"before the crash\r\n")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("before the crash")
        stage.stop_broker()
        await seen.shows("✕ LOST")
        assert "before the crash" in seen.text


async def test_whoever_watches_is_seen_by_others_and_no_longer_after_they_leave(
    stage: Stage,
) -> None:
    stage.session("s-1")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("watched by local")
        assert stage.store.sessions.get("s-1").watchers == ("local",)
    assert stage.store.sessions.get("s-1").watchers == ()


async def test_who_loses_the_role_while_watching_sees_nothing_more(stage: Stage) -> None:
    session = stage.session("s-1")
    session.prints(b"secret\r\n")
    sue = stage.identity("sue", Role.ANALYST)
    async with console(stage, actor=sue, link="psm://session/s-1") as seen:
        await seen.shows("secret")
        stage.identity("sue", Role.OPERATOR)
        await seen.hides("secret")


async def test_who_may_not_watch_is_told_and_shown_nothing(stage: Stage) -> None:
    stage.session("s-1").prints(b"secret\r\n")
    eve = stage.identity("eve", Role.AUDITOR)
    async with console(stage, actor=eve) as seen:
        await seen.shows("● active")
        await seen.press("enter")
        await seen.pilot.pause()
        assert "secret" not in seen.text


async def test_maximised_shows_all_columns_of_a_terminal_as_wide_as_ours(stage: Stage) -> None:
    session = stage.session("s-1", size=(80, 24))
    session.prints(b"x" * 79 + b"!")
    async with console(stage, (80, 24), link="psm://session/s-1") as seen:
        await seen.shows("xxx")
        await seen.press("f")
        await eventually(lambda: any(line == "x" * 79 + "!" for line in seen.lines))


async def test_a_session_draws_no_cell_outside_its_frame(stage: Stage) -> None:
    session = stage.session("s-1", size=(80, 24))
    session.prints(b"\x1b[1;1H" + b"#" * 80 * 24 + b"\x1b[99;99H\x1b[10A\x1b[500C##\x1b#8")
    async with console(stage, (120, 40), link="psm://session/s-1") as seen:
        await seen.shows("EEEE")
        outside = [*seen.lines[:4], *seen.lines[28:]]
        assert not any("EEEE" in line or "##" in line for line in outside)
        assert all("E" * 3 not in line[82:] for line in seen.lines)


async def test_a_picture_whose_thread_fell_over_does_not_pass_for_the_present(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(self: object) -> bool:
        raise ZeroDivisionError("a bug of ours")

    session = stage.session("s-1")
    session.prints(b"hello\r\n")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("hello")
        monkeypatch.setattr(Follower, "advance", fall)
        await seen.shows("the picture stopped at 00:00:00 (a bug of ours)")


def test_the_channel_worth_watching_is_the_newest_open_terminal(stage: Stage) -> None:
    session = stage.session("s-1")
    found = channel_to_watch(stage.store.sessions.get(session.id))
    assert found is not None and found.pty
    assert channel_to_watch(session.session) is None


async def test_a_picture_behind_a_flood_says_as_of_when_and_is_exact_at_its_end(
    stage: Stage,
) -> None:
    session = stage.session("s-1")
    for number in range(25):
        session.prints(f"\x1b[3{number % 8}m{number} flood ".encode() * 1500, after=1.0)
    session.prints(b"\x1b[2J\x1b[Hthe end", after=1.0)
    found: list[News] = []
    feed = LiveFeed(stage.home, session.id, stage.home.recording("s-1") / session.channel.file)
    feed.run(found.append, lambda: bool(found) and found[-1].at > 25.5)
    assert found[0].behind and not found[-1].behind
    assert feed.screen is not None and feed.screen.display[0].startswith("the end")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("the end")
        screen = seen.app.screen
        assert isinstance(screen, ShadowScreen)
        pane = screen.pane
        await seen.becomes(lambda: pane.news is not None and pane.news.at > 25.5, "the newest news")
        screen.pane.told(News(751.0, behind=True))
        await seen.shows("○ catching up, as of 00:12:31")
        screen.pane.told(News(752.0))
        await seen.shows("● LIVE")


async def test_nobody_counts_as_watching_while_another_room_is_in_front(stage: Stage) -> None:
    stage.session("s-1").prints(b"hello\r\n")

    def watchers() -> tuple[str, ...]:
        return stage.store.sessions.get("s-1").watchers

    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("hello")
        await seen.becomes(lambda: watchers() == ("local",), "a watcher")
        await seen.press("2")
        await seen.becomes(lambda: watchers() == (), "no watcher")
        await seen.press("1")
        await seen.shows("hello")
        await seen.becomes(lambda: watchers() == ("local",), "a watcher again")


async def test_a_dialog_leaves_what_is_watched_in_view(stage: Stage) -> None:
    session = stage.session("s-1")
    session.prints(b"before\r\n")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("before")
        await seen.press("K")
        await seen.shows("Terminate this session?")
        session.prints(b"after\r\n")
        await seen.shows("after")


@pytest.mark.attack
async def test_a_picture_that_left_out_a_bomb_says_that_it_may_differ(stage: Stage) -> None:
    session = stage.session("s-1")
    async with console(stage, link="psm://session/s-1") as seen:
        await seen.shows("● LIVE")
        session.prints(b"x\x1b[65535b" * 2000)
        await seen.shows("drawn in part")


async def test_what_the_list_learns_while_a_window_opens_is_not_forgotten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = stage.session("s-1")
    async with console(stage) as seen:
        await seen.shows("● active")
        place, true = seen.app.place, Desk.directives

        async def meanwhile(desk: Desk, session_id: str) -> list[Directive]:
            given = await true(desk, session_id)
            session.becomes(SessionState.PAUSED, paused_by="sue")

            def learned() -> bool:
                found = place.session("s-1")
                return found is not None and found.state is SessionState.PAUSED

            await eventually(learned)
            return given

        monkeypatch.setattr(Desk, "directives", meanwhile)
        await seen.press("enter")
        await seen.shows("Ⅱ PAUSED by sue")


@pytest.mark.fault
async def test_a_console_that_is_cut_as_a_watch_begins_notes_its_end_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.session("s-1")
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **more: Any) -> Watch:
        watch = start_watching(*arguments, **more)
        begun.set()
        assert go_on.wait(30)
        return watch

    monkeypatch.setattr(desk_module, "start_watching", slowly)
    desk = Desk(stage.home, stage.actor)
    asking = asyncio.create_task(desk.watch("s-1"))
    await asyncio.to_thread(begun.wait, 30)
    asking.cancel()
    leaving = asyncio.create_task(desk.close())
    await asyncio.sleep(0)
    go_on.set()
    await leaving

    (entry,) = stage.store.audit.list(action="session.unshadow")
    assert entry.session == "s-1"
    assert not stage.store.watchers.present(now())
