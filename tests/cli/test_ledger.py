"""A session's channels as people read them: a table that says what can be seen of each."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.cli.ledger import print_channels, print_orders
from psm_console.cli.records import directive_row
from psm_console.demo import library
from psm_console.domain.names import DirectiveId, SessionId
from psm_console.domain.session import (
    Channel,
    ChannelKind,
    Directive,
    Ledger,
    Outcome,
    Receipt,
    Step,
    Verb,
)
from psm_console.domain.text import HIDDEN
from psm_console.operations import init
from psm_console.store import Home, utc_now

NOON = utc_now().replace(hour=12, minute=0, second=0, microsecond=0)
SHELL = Channel(
    SessionId("s"), 1, ChannelKind.SHELL, True, None, "1-shell.cast", NOON,
    ledger=Ledger(output_bytes=2048, input_bytes=300, discarded_bytes=7),
)  # fmt: skip
FILES = Channel(
    SessionId("s"), 2, ChannelKind.SFTP, False, None, "2-sftp.jsonl", NOON,
    closed_at=NOON + timedelta(seconds=61), exit="0",
    ledger=Ledger(5000, 100, "digest", 0, 5100, 0, 3),
)  # fmt: skip


def printed(capsys: pytest.CaptureFixture[str], *channels: Channel) -> list[str]:
    print_channels(channels)
    return [line for line in capsys.readouterr().out.splitlines() if line]


def test_a_row_says_of_each_channel_what_went_by_and_how_it_was_recorded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    title, heads, shell, files, sentence = printed(capsys, SHELL, FILES)

    assert title == "channels:"
    assert heads.split()[:6] == ["#", "KIND", "OPENED", "CLOSED", "EXIT", "OUT"]
    assert "1  shell, terminal  12:00:00Z  open       -     2.0 KiB  300 B" in shell
    assert "◑ in part" in shell and "screen as bytes, typing counted" in shell
    assert "2  sftp             12:00:00Z  12:01:01Z  0     4.9 KiB  100 B" in files
    assert "○ digest" in files and "file operations, contents as SHA-256" in files
    assert [line[heads.index("OPERATIONS") :].strip() for line in (shell, files)] == ["-", "3"]
    assert sentence == (
        "Not to be seen: 300 bytes typed (counted, as the policy keeps it out); 7 bytes typed in a"
        " pause (thrown away: the target never got it); 5,100 bytes of file transfer"
        " (operations, sizes and SHA-256 are kept)."
    )


def test_columns_without_anything_to_say_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    plain = replace(SHELL, ledger=Ledger(output_bytes=5, input_recorded="bytes"))

    _, heads, row, sentence = printed(capsys, plain)

    assert not {"OPERATIONS", "THROWN", "NOT", "EXIT", "COMMAND"} & set(heads.split())
    assert "✔ whole" in row
    assert sentence == "Everything that went by is recorded as bytes."


@pytest.mark.attack
def test_a_hostile_command_is_printed_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, replace(FILES, command="rm \x1b]52;c;eA==\x07\u202e\n-rf"))

    assert HIDDEN.search("".join(lines)) is None and "\\x1b]52" in lines[2]


def test_orders_are_a_table_with_their_receipts(capsys: pytest.CaptureFixture[str]) -> None:
    receipt = Receipt((Step("claimed", 3.2), Step("recording sealed", None, failed=True)), "ended")
    order = Directive(
        DirectiveId("d"), SessionId("s"), Verb.TERMINATE, "sue", NOON, reason="wrong host",
        outcome=Outcome.FAILED, receipt=receipt,
    )  # fmt: skip

    print_orders([directive_row(order)])

    row = capsys.readouterr().out.splitlines()[-1]
    assert "12:00:00Z  terminate  sue  failed   wrong host" in row
    assert row.endswith("claimed 3 ms, recording sealed failed, ended")


def test_show_prints_the_table_and_its_json_the_whole_ledger(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init(home, utc_now())
    library.fill(home)

    def psm(*arguments: str) -> str:
        argv = [sys.executable, "-m", "psm_console.cli", "--home", str(home.root), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout

    name = json.loads(psm("recording", "ls", "--json"))[0]["id"]
    for noun in ("session", "recording"):
        assert "◑ in part" in (shown := psm(noun, "show", name))
        assert "Not to be seen: " in shown and "{" not in shown
        told = json.loads(psm(noun, "show", name, "--json"))
        channel = told["channels"][0]
        assert channel["coverage"] == "in part" and channel["ledger"]["input_bytes"] > 0
        assert channel["blind_spots"][0]["count"] == channel["ledger"]["input_bytes"]
        assert told["blind_spots"].startswith("Not to be seen: ")
