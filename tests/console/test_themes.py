"""Themes as files, and the colours in ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color

from psm_console.console.themes import TOKENS, ThemeError, load_theme, load_themes, theme_folders
from tests.console.driving import console
from tests.console.stage import Stage

OURS = theme_folders({"HOME": "/nonexistent"})[0]
NAMES = sorted(path.stem for path in OURS.glob("*.toml"))
READ = ("foreground", "text-quiet", "text-strong", "key", "attention", "priv-account", "stale")
STATES = tuple(token for token in TOKENS if token.startswith(("state-", "outcome-")))
RISKS = ("risk-1", "risk-2", "risk-3", "risk-4", "state-active")

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = Color.parse(colour).normalized
    return _linear(red), _linear(green), _linear(blue)


def contrast(one: str, two: str) -> float:
    """WCAG 2 contrast of two colours."""
    bright = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (_rgb(one), _rgb(two))), reverse=True
    )
    return (bright[0] + 0.05) / (bright[1] + 0.05)


def lab(colour: str, blindness: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a colour as somebody with this blindness sees it."""
    linear = _rgb(colour)
    seen = [
        min(max(sum(row[i] * linear[i] for i in range(3)), 0.0), 1.0)
        for row in BLINDNESS[blindness]
    ]
    r, g, b = seen
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, two: str, blindness: str) -> float:
    """CIE76 distance of two colours as seen with this blindness."""
    pairs = zip(lab(one, blindness), lab(two, blindness), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def colours(name: str) -> dict[str, str]:
    """Every colour of one of our themes, defaults included."""
    theme = load_theme(OURS / f"{name}.toml").theme
    return {
        **TOKENS,
        "background": theme.background or "",
        "foreground": theme.foreground or "",
        **theme.variables,
    }


def test_there_is_a_dark_and_a_light_theme() -> None:
    assert {"nightwatch", "daylight"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_text_can_be_read(name: str) -> None:
    found = colours(name)
    for token in (*READ, *STATES):
        assert contrast(found[token], found["background"]) >= 4.5, token
    assert contrast(found["row-cursor-fg"], found["row-cursor-bg"]) >= 7
    assert contrast(found["priv-account"], found["row-cursor-bg"]) >= 4.5
    assert contrast(found["term-fg"], found["term-bg"]) >= 7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_risks_and_the_live_state_stay_apart_with_every_kind_of_sight(
    name: str, blindness: str
) -> None:
    found = colours(name)
    for index, one in enumerate(RISKS):
        for two in RISKS[index + 1 :]:
            assert distance(found[one], found[two], blindness) >= 18, (one, two)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dark = [", "theme bad.toml:"),
        ('[colors]\nprimary = "#12345"', "colors.primary is no colour"),
        ('[colors]\nprimary = "#123456"\n[tokens]\nrisk-9 = "#123456"', "tokens.risk-9"),
        ('[colours]\nprimary = "#123456"', "unknown key colours"),
        ("[colors]", "colors.primary is missing"),
        ('glyphs = "emoji"', "glyphs must be one of"),
        ('tokens = "red"', "tokens must be a table"),
    ],
)
def test_a_bad_theme_is_a_sentence_that_names_the_place(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ThemeError, match=said):
        load_theme(path)
    found = load_themes((OURS, tmp_path))
    assert len(found.faults) == 1 and "nightwatch" in found.themes


async def test_a_theme_file_that_changes_is_taken_up_and_a_broken_one_told(
    stage: Stage, tmp_path: Path
) -> None:
    own = tmp_path / "themes"
    own.mkdir()
    path = own / "nightwatch.toml"
    path.write_text((OURS / "nightwatch.toml").read_text())
    async with console(stage, theme_places=(OURS, own)) as seen:
        await seen.shows("Nobody is connected")
        path.write_text(path.read_text().replace("#86F2F8", "#12F3F4"))
        await seen.becomes(lambda: seen.app.theme_variables["key"] == "#12F3F4", "the new colour")
        path.write_text("dark = [")
        await seen.shows("theme nightwatch.toml:")
        assert seen.app.theme == "nightwatch"


async def test_another_theme_is_chosen_by_name_and_everything_is_drawn_in_it(stage: Stage) -> None:
    stage.session("s-1", "ana").prints(b"hello\r\n")
    async with console(stage) as seen:
        await seen.shows("hello")
        await seen.press("T")
        await seen.shows("daylight")
        assert "textual-dark" not in seen.text
        await seen.types("day")
        await seen.press("enter")
        await seen.becomes(lambda: seen.app.theme == "daylight", "the light theme")
        paper = Color.parse(colours("daylight")["term-bg"]).rich_color

        def drawn() -> bool:
            strips = seen.app.screen._compositor.render_strips()
            papers = {
                s.style.bgcolor for strip in strips for s in strip if s.style and "hello" in s.text
            }
            return papers == {paper}

        await seen.becomes(drawn, "the terminal in the new colours")
