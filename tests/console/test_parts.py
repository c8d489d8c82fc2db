"""The small parts: figures, links, the scrub bar, help, the palette, a window that is too small."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from psm_console.console import figures
from psm_console.console.app import has_no_colours, speaks_unicode
from psm_console.console.link import Link
from psm_console.console.scrub_bar import ScrubBar, Tick, Timeline
from psm_console.operations.actions import ACTIONS
from tests.console.driving import console
from tests.console.stage import Stage
from tests.console.terminal_child import console_in_a_terminal


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("psm://session/abc", Link("abc")),
        ("psm://session/abc@12.5", Link("abc", 12.5)),
        ("psm://session/abc@1:02:03", Link("abc", 3723.0)),
        ("psm://session/abc@1.2.3", None),
        ("psm://session/", None),
        ("psm://session/../etc/passwd", None),
        ("http://session/abc", None),
    ],
)
def test_links_are_read_or_refused(text: str, link: Link | None) -> None:
    assert Link.parse(text) == link
    if link is not None:
        assert Link.parse(str(link)) == link


def test_ages_sizes_and_times_read_as_people_write_them() -> None:
    assert [figures.age(s) for s in (5, 65, 3700, 90000)] == ["00:05", "01:05", "1:01:40", "1d 01h"]
    assert [figures.size(n) for n in (0, 999, 1500, 12_345_678)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "12 MB",
    ]
    assert [figures.milliseconds(ms) for ms in (0.44, 12.3, 12_000)] == ["0.4 ms", "12 ms", "12 s"]


def test_a_sparkline_has_its_width_and_shows_a_single_byte_and_a_flood_apart() -> None:
    line = figures.sparkline([0, 1, 1 << 20], 5)
    assert line == "   ▁█"
    assert len(figures.sparkline(range(100), 12)) == 12


def test_columns_of_the_scrub_bar_reach_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = ScrubBar()
    bar._timeline = Timeline(100.0, ticks=[Tick(50.0)])
    monkeypatch.setattr(ScrubBar, "size", property(lambda _: type("S", (), {"width": 80})()))
    assert (bar.column(0.0), bar.column(50.0), bar.column(100.0)) == (0, 40, 79)
    assert (bar.instant(0), bar.instant(79)) == (0.0, 100.0)
    assert all(bar.column(bar.instant(column)) == column for column in range(80))


@pytest.mark.parametrize(
    ("environ", "unicode"),
    [
        ({}, True),
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LC_CTYPE": "C.utf8"}, True),
    ],
)
def test_the_locale_says_whether_our_signs_can_be_shown(
    environ: dict[str, str], unicode: bool
) -> None:
    assert speaks_unicode(environ) is unicode


def test_no_colours_are_wanted_or_there_are_none() -> None:
    assert has_no_colours({"NO_COLOR": "1"}) and has_no_colours({"TERM": "vt100"})
    assert not has_no_colours({"TERM": "xterm-256color", "NO_COLOR": ""})


async def test_help_lists_every_act_with_a_key_and_can_be_searched(stage: Stage) -> None:
    async with console(stage) as seen:
        await seen.press("question_mark")
        await seen.shows("On a live session")
        listed = str(seen.app.screen.query_one("#list", Static).content)
        for act in ACTIONS:
            assert not act.keys or act.title in listed, act.id
        await seen.types("kill")
        await seen.shows("No key does that")
        await seen.press("backspace", "backspace", "backspace", "backspace")
        await seen.types("cut")
        await seen.shows("psm session terminate")
        await seen.hides("Play/stop")
        await seen.press("escape")
        await seen.hides("What the keys do")


async def test_every_act_with_a_key_has_a_method_behind_it(stage: Stage) -> None:
    from psm_console.console.app import ConsoleApp
    from psm_console.console.library import LibraryScreen
    from psm_console.console.live import LiveScreen
    from psm_console.console.replay import ReplayScreen
    from psm_console.console.shadow import ShadowScreen

    for screen in (LiveScreen, ShadowScreen, LibraryScreen, ReplayScreen):
        for act in ACTIONS:
            if set(act.scopes) & set(screen.scopes):
                name = "action_" + act.method.partition("(")[0]
                assert hasattr(screen, name) or hasattr(ConsoleApp, name), (screen, act.id)


async def test_the_palette_runs_an_act_by_its_name(stage: Stage) -> None:
    async with console(stage) as seen:
        await seen.shows("Nobody is connected")
        await seen.press("colon")
        await seen.shows("Search for commands")
        await seen.types("recordings")
        await seen.shows("Show the recordings")
        await seen.press("enter")
        await seen.shows("Nothing was recorded yet")


async def test_neither_screenshots_nor_suspension_are_offered(stage: Stage) -> None:
    async with console(stage) as seen:
        await seen.press("colon")
        await seen.types("screenshot")
        await seen.shows("No matches found")
        seen.app.action_screenshot()
        seen.app.action_suspend_process()


async def test_a_window_that_is_too_small_says_so_and_comes_back(stage: Stage) -> None:
    stage.session("s-1", "ana")
    async with console(stage, (70, 20)) as seen:
        await seen.shows("The console needs 80 columns and 24 rows")
        assert "ana" not in seen.text
        await seen.pilot.resize_terminal(80, 24)
        await seen.shows("● active")
        await seen.hides("The console needs")


async def test_a_link_to_nothing_is_told(stage: Stage) -> None:
    async with console(stage, link="psm://session/nope") as seen:
        await seen.shows("no session has the id nope")


def test_a_store_that_is_gone_keeps_the_list_and_says_as_of_when(stage: Stage) -> None:
    stage.session("s-1", "ana").prints(b"visible\r\n")
    with console_in_a_terminal(stage.home.root) as child:
        child.read_until(lambda output: b"visible" in output)
        (stage.home.root / "psm.db").rename(stage.home.root / "elsewhere")
        (stage.home.root / "psm.db").write_bytes(b"this is no store at all" * 100)
        child.read_until(lambda output: b"as of" in output)
        child.press(b"q")
        assert child.wait() == 0
    assert b"Traceback" not in child.output
