"""Listings: nothing that a terminal would obey, and the same fields for programs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psm_console.cli.output import (
    Format,
    field,
    instant,
    print_listing,
    print_object,
    size,
    span,
    to_json,
)
from psm_console.domain.text import HIDDEN

_COLUMNS = (field("id"), field("who"), field("note", wide=True))
_HOSTILE = "\x1b]52;c;cm0=\x07\x9b31m[@click=app.quit]x[/]\u202etxt\x7f"


@pytest.mark.attack
@pytest.mark.parametrize("chosen", list(Format))
def test_a_listing_never_prints_what_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str], chosen: Format
) -> None:
    rows = [{"id": _HOSTILE, "who": _HOSTILE, "note": [_HOSTILE]}]

    print_listing(rows, _COLUMNS, "id", chosen)

    printed = capsys.readouterr().out
    assert HIDDEN.search(printed.replace("\n", "")) is None
    assert "x[/]" in printed


@pytest.mark.attack
@given(st.text())
def test_json_is_printable_ascii_and_gives_the_text_back(text: str) -> None:
    written = to_json({"text": text})

    assert re.fullmatch(r"[\x20-\x7e]*", written)
    assert json.loads(written) == {"text": text}


def test_a_table_aligns_and_json_lines_are_one_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "who": "mira", "note": 1},
        {"id": "bb", "who": None, "note": 2},
    ]

    print_listing(rows, _COLUMNS, "id", Format.TABLE)
    assert capsys.readouterr().out == "ID  WHO\na   mira\nbb  -\n"
    print_listing(rows, _COLUMNS, "id", Format.NAME)
    assert capsys.readouterr().out == "a\nbb\n"
    print_listing(rows, _COLUMNS, "id", Format.JSONL)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows
    print_listing(rows, _COLUMNS, "id", Format.JSON)
    assert json.loads(capsys.readouterr().out) == rows


@pytest.mark.attack
def test_one_thing_is_shown_field_by_field_and_clean(capsys: pytest.CaptureFixture[str]) -> None:
    print_object({"id": "a", "parts": [{"command": _HOSTILE}], "last": _HOSTILE}, False)

    printed = capsys.readouterr().out
    assert HIDDEN.search(printed.replace("\n", "")) is None
    assert printed.startswith("id     a\nparts:\n    command ")


def test_instants_are_in_utc_whatever_zone_they_came_in() -> None:
    east = datetime(2026, 11, 21, 1, 30, tzinfo=timezone(timedelta(hours=3)))

    assert instant(east) == "2026-11-20T22:30:00.000Z"
    assert instant(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"
    assert instant(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.4, "0s"), (61, "1m01s"), (3 * 3600 + 120, "3h02m"), (90000, "1d01h")],
)
def test_spans_are_short(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB"), (None, "-")]
)
def test_sizes_have_units(count: object, text: str) -> None:
    assert size(count) == text
