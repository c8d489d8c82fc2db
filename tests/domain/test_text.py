"""The one sanitiser."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.domain.text import visible


@pytest.mark.attack
@given(st.text(st.characters(exclude_categories=[]), max_size=200))
def test_no_control_bidi_or_invisible_character_comes_out(text: str) -> None:
    for character in visible(text):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mroot", "\\x1b[31mroot"),
        ("ls\u200brm", "ls\\u200brm"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb", "a\\x0ab"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_can_not_be_seen_is_spelled_out(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


def test_plain_text_of_any_language_is_left_alone() -> None:
    for text in ("ana", "größe", "数据库", "база", "[@click=app.quit]x[/]", "a b"):
        assert visible(text) == text


def test_marks_piled_on_one_character_are_cut_off() -> None:
    assert visible("e" + "\u0301" * 1000) == "e" + "\u0301" * 4


def test_the_limit_counts_what_is_shown() -> None:
    assert visible("\x1b" * 10, limit=8) == "\\x1b\\x1…"


def test_a_byte_that_was_no_text_is_spelled_as_that_byte() -> None:
    assert visible(b"a\xff\x80".decode("utf-8", "surrogateescape")) == "a\\xff\\x80"
    assert visible("\ud800") == "\\ud800"
