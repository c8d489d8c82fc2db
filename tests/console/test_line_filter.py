"""The last gate, and the cells of a watched terminal: nothing hidden, no cell moved."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import ControlType, Segment
from rich.style import Style
from textual.color import Color

from psm_console.console import glyphs
from psm_console.console.cells import CellPainter, fitted
from psm_console.console.ink import Ink
from psm_console.console.line import fit
from psm_console.console.line_filter import Colourless, HostileText
from psm_console.domain.text import HIDDEN
from psm_console.terminal import Screen

BLACK = Color.parse("black")
nasty = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\x07\u202e\u200b\u2066\ufeff\U000e0041\u200d漢字ｅ́👨️─│✔"),
    ),
    max_size=30,
)


@given(nasty, st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_a_widget_draws_leaves_visible_and_no_wider_than_it_was(
    text: str, ascii_only: bool
) -> None:
    gate = HostileText(ascii_only=ascii_only)
    found = gate.apply([Segment(text, Style(link="file:///etc/passwd"))], BLACK)
    clean = "".join(segment.text for segment in found)
    assert HIDDEN.search(clean) is None
    assert cell_len(clean) == cell_len(text) or not text.isprintable()
    assert cell_len(clean) <= max(cell_len(text), 0)
    assert not ascii_only or clean.isascii()
    assert all(segment.style is None or segment.style.link is None for segment in found)


def test_control_segments_are_dropped() -> None:
    bell = Segment("\x07", None, [(ControlType.BELL,)])
    assert HostileText().apply([bell, Segment("a")], BLACK) == [Segment("a")]


def test_without_colours_weight_and_reverse_stay() -> None:
    style = Style(color="#ff0000", bgcolor="#00ff00", bold=True, reverse=True)
    [segment] = Colourless().apply([Segment("x", style)], BLACK)
    assert segment.style is not None and segment.style.bold and segment.style.reverse
    assert segment.style.color is not None and segment.style.color.is_default


@given(nasty, st.integers(0, 40))
@settings(deadline=None)
def test_a_cell_of_a_list_is_exactly_as_wide_as_its_column(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


nasty_bytes = nasty.map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(st.lists(st.one_of(nasty_bytes, st.binary(max_size=20)), max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_row_of_a_watched_terminal_has_exactly_its_columns_whatever_it_prints(
    chunks: list[bytes],
) -> None:
    screen = Screen(20, 5)
    for chunk in chunks:
        screen.feed(chunk)
    painter = CellPainter(Ink({}))
    for row in range(5):
        strip = painter.strip(screen, row)
        assert strip.cell_length == 20
        assert HIDDEN.search(strip.text) is None


def test_text_that_was_concealed_is_shown() -> None:
    screen = Screen(20, 1)
    screen.feed(b"\x1b[8mrm -rf /\x1b[0m")
    strip = CellPainter(Ink({})).strip(screen, 0)
    assert strip.text.startswith("rm -rf /")
    style = next(iter(strip)).style
    assert style is not None and style.strike


def test_a_cell_with_something_too_wide_keeps_its_width() -> None:
    assert fitted("漢", 1) == "\N{REPLACEMENT CHARACTER}"
    assert fitted("👨\u200d👩", 2) == "👨"
    assert fitted("a\u200b", 1) == "a"
    assert fitted("", 1) == " "


def test_every_sign_of_ours_has_one_in_ascii() -> None:
    ours = "".join(
        value if isinstance(value, str) else "".join(value)
        for name, value in vars(glyphs).items()
        if name.isupper() and name not in ("STATES", "TO_ASCII")
    ) + "".join(glyphs.STATES.values())
    assert "?" not in ours.translate(glyphs.TO_ASCII)
    assert ours.translate(glyphs.TO_ASCII).isascii()
    states = [sign.translate(glyphs.TO_ASCII) for sign in glyphs.STATES.values()]
    assert len(set(states)) == len(states)
