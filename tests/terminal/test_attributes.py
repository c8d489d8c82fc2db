"""Looks of cells."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.terminal import Attributes, Char
from psm_console.terminal.attributes import PALETTE, PLAIN, apply_sgr, sgr_parameters
from tests.terminal.streams import fed

COLOUR = re.compile("default|(bright)?(black|red|green|brown|blue|magenta|cyan|white)|[0-9a-f]{6}")
CASES = {
    "": PLAIN,
    "1;3;4;5;7;9": Attributes(
        bold=True, italics=True, underscore=True, blink=True, reverse=True, strikethrough=True
    ),
    "2;8": Attributes(dim=True, conceal=True),
    "1;2;22": PLAIN,
    "31;42": Attributes(fg="red", bg="green"),
    "33": Attributes(fg="brown"),
    "95;105": Attributes(fg="brightmagenta", bg="brightmagenta"),
    "31;39": PLAIN,
    "38;5;9": Attributes(fg="ff0000"),
    "38;5;300": PLAIN,
    "38;2;1;2;255": Attributes(fg="0102ff"),
    "38;2;300;0;0": PLAIN,
    "38;2;300;0;0;1": Attributes(bold=True),
    "38:2::1:2:255": Attributes(fg="0102ff"),
    "38:2:1:2:255": Attributes(fg="0102ff"),
    "48:5:16": Attributes(bg="000000"),
    "58;2;1;1;1;4": Attributes(underscore=True),
    "58:5:1;1": Attributes(bold=True),
    "4:3": Attributes(underscore=True),
    "4;4:0": PLAIN,
    "4;24": PLAIN,
    "38;5": PLAIN,
    "38": PLAIN,
    "999;1": Attributes(bold=True),
    "31;;1": Attributes(bold=True),
}


@pytest.mark.parametrize("parameters", CASES)
def test_sgr_means(parameters: str) -> None:
    assert apply_sgr(PLAIN, parameters) == CASES[parameters]


@given(st.text("0123456789;:", max_size=30))
def test_no_parameters_give_a_colour_that_can_not_be_drawn(parameters: str) -> None:
    look = apply_sgr(PLAIN, parameters)

    for colour in (look.fg, look.bg):
        assert COLOUR.fullmatch(colour)


@given(st.lists(st.sampled_from([*CASES, "4", "7", "38;5;77", "48;5;200", "92"]), max_size=6))
def test_the_parameters_of_a_look_make_that_look(parameters: list[str]) -> None:
    look = apply_sgr(PLAIN, ";".join(parameters))

    assert apply_sgr(Attributes(bold=True, bg="red"), sgr_parameters(look)) == look


@pytest.mark.parametrize("data", [b"\x1b[>4;2m", b"\x1b[?4m", b"\x1b[<1m", b"\x1b[4 m"])
def test_what_only_looks_like_sgr_changes_nothing(data: bytes) -> None:
    assert fed((4, 1), data + b"x").row_runs(0) == [("x   ", PLAIN)]


def test_sequences_in_a_row_apply_one_after_the_other() -> None:
    screen = fed((6, 1), b"\x1b[38m\x1b[5;1ma\x1b[0m\x1b[31mb\x1b[m\x1b[1m\x1b[32mc")

    looks = [look for _, look in screen.row_runs(0)]
    assert looks[:3] == [
        Attributes(blink=True, bold=True),
        Attributes(fg="red"),
        Attributes(fg="green", bold=True),
    ]


def test_an_impossible_colour_leaves_the_colour_as_it_was() -> None:
    screen = fed((4, 1), b"\x1b[31m\x1b[1m\x1b[38;2;300;1;1mx\x1b[38;5;999my")

    assert screen.row_runs(0)[0] == ("xy", Attributes(fg="red", bold=True))


def test_every_colour_of_a_rainbow_is_its_own_whatever_came_before() -> None:
    colours = [16 + number * 7 % 216 for number in range(600)]
    data = "".join(f"\x1b[38;5;{colour}mx" for colour in colours).encode()

    screen = fed((600, 1), b"\x1b[1m" + data)

    assert [screen.buffer[0][x].fg for x in range(600)] == [PALETTE[colour] for colour in colours]
    assert all(screen.buffer[0][x].bold for x in range(600))


def test_a_cell_is_a_char_of_pyte_with_dim_and_conceal() -> None:
    cell = fed((4, 1), b"\x1b[2;8;31mx").buffer[0][0]

    assert cell == Char("x", "red") and cell.dim and cell.conceal
    assert cell._replace(data="y", bold=True).dim
    assert cell.look == Attributes(fg="red", dim=True, conceal=True)
