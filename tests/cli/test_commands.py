"""`psm` on a home without a broker: listings, exit codes, and a sentence for all bad input."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from psm_console.demo import library
from psm_console.store import Home

from .conftest import Psm

SAMPLES = Path(__file__).resolve().parents[2] / "sample_sessions"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFQjoT2VgzKoXnePR3NbJq7Jw7hKuwQqJz0sYfWy8mV9"
_INVENTORY = f"""
[identities.ana]
roles = ["operator"]
keys = ["{_KEY}"]
[targets.db1]
address = "10.0.0.5:22"
host_keys = ["{_KEY}"]
[targets.db1.accounts.root]
credential = {{ password_file = "secret" }}
[[grants]]
operator = "ana"
account = "root@db1"
"""


def test_init_may_be_repeated_and_says_the_host_key(psm: Psm, tmp_path: Path) -> None:
    first = psm("init", home=tmp_path / "new")
    second = psm("init", home=tmp_path / "new")

    assert (first.code, second.code) == (0, 0)
    assert "ssh-ed25519 " in first.err and "SHA256:" in first.err
    assert "as it was" in second.err


def test_apply_says_what_changed_and_listings_show_it(psm: Psm, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "inventory.toml").write_text(_INVENTORY)

    applied = psm("apply", str(tmp_path / "inventory.toml"))
    again = psm("apply", str(tmp_path / "inventory.toml"))

    assert applied.code == 0 and "+ account root@db1" in applied.err
    assert "as declared already" in again.err
    (target,) = json.loads(psm("target", "ls", "--json").out)
    assert (target["name"], target["address"]) == ("db1", "10.0.0.5:22")
    (account,) = json.loads(psm("account", "ls", "-o", "json").out)
    assert (account["account"], account["operators"]) == ("root@db1", ["ana"])
    assert psm("identity", "ls", "-o", "name").out.split() == ["ana", "local"]
    actions = [
        json.loads(line)["action"]
        for line in psm("audit", "ls", "-o", "jsonl").out.split("\n")
        if line
    ]
    assert actions == ["home.init", "inventory.apply"]


def test_no_live_sessions_is_an_empty_array_for_programs_and_a_hint_for_people(psm: Psm) -> None:
    assert json.loads(psm("session", "ls", "--json").out) == []
    assert "--all" in psm("session", "ls").err


def test_the_audit_log_verifies_and_its_head_can_be_checked_later(psm: Psm) -> None:
    verdict = json.loads(psm("audit", "verify", "--json").out)

    assert (verdict["verdict"], verdict["entries"]) == ("OK", 1)
    assert psm("audit", "verify", "--head", verdict["head"]).code == 0
    assert psm("audit", "verify", "--head", "1:" + "0" * 64).code == 6


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("session show nobody", 3, "no session has the id nobody"),
        ("session terminate nobody --reason x", 3, "no session"),
        ("session terminate nobody", 2, "--reason"),
        ("session pause", 2, "Missing argument 'ID'"),
        ("session ls --since yesterday", 2, "expected a time like"),
        ("session ls -o xml", 2, "xml"),
        ("recording show nobody", 3, "nobody"),
        ("recording verify nobody", 3, "nobody"),
        ("recording verify", 2, "--all"),
        ("recording screen nobody --at 1", 3, "nobody"),
        ("recording screen ./nothing.cast --at 1", 2, "there is no file"),
        ("recording screen nobody --at soon", 2, "soon"),
        ("recording play nobody", 3, "nobody"),
        ("apply ./nothing.toml", 2, "there is no inventory"),
        ("audit verify --head nonsense", 2, "ID:HASH"),
        ("console psm://nonsense", 1, "terminal"),
        ("demo", 1, "--headless"),
        ("frobnicate", 2, "frobnicate"),
        ("serve --listen nowhere", 1, "HOST:PORT"),
        ("serve --listen 192.0.2.1:22", 1, "--listen"),
    ],
)
def test_bad_input_gets_a_sentence_and_its_exit_code(
    psm: Psm, arguments: str, code: int, says: str
) -> None:
    result = psm(*arguments.split())

    assert result.code == code, result.err
    assert says in result.err
    assert result.out == ""


def test_a_home_that_is_missing_open_or_foreign_is_refused_with_what_to_do(
    psm: Psm, home: Home, tmp_path: Path
) -> None:
    assert "psm init" in psm("session", "ls", home=tmp_path / "none").err
    home.host_key.chmod(0o644)
    assert "chmod 600" in psm("session", "ls").err
    home.host_key.chmod(0o600)
    home.database.write_bytes(b"this is no database, but it is long enough to look at" * 40)
    assert psm("session", "ls").code in {1, 2}


@pytest.mark.attack
def test_escape_sequences_in_arguments_are_not_printed_back(psm: Psm) -> None:
    for arguments in (["session", "show", "\x1b]0;x\x07"], ["\x1b[31mno"], ["apply", "\x9b\u202e"]):
        result = psm(*arguments)
        assert result.code != 0
        assert not set("\x1b\x07\x9b\u202e") & set(result.err)


def test_whoever_stops_reading_our_output_gets_no_complaint(home: Home) -> None:
    import subprocess
    import sys

    program = [sys.executable, "-m", "psm_console.cli", "--home", str(home.root), "audit", "ls"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_sample_sessions_are_listed_verified_and_shown(psm: Psm, home: Home) -> None:
    count = library.fill(home)

    rows = json.loads(psm("recording", "ls", "--json").out)
    verified = psm("recording", "verify", "--all", "--json")

    assert len(rows) == count
    words = sorted({row["verdict"] for row in json.loads(verified.out)})
    assert words == ["INCOMPLETE", "OK"] and verified.code == 6
    mira = next(row for row in rows if row["operator"] == "mira")
    assert psm("recording", "verify", mira["id"][:6]).out == "OK\n"
    assert "root@db1:~#" in psm("recording", "screen", mira["id"], "--at", "3").out
    over = psm("session", "shadow", mira["id"])
    assert over.code == 1 and f"psm recording play {mira['id']}" in over.err
    shown = psm("recording", "show", mira["id"], "--json")
    assert json.loads(shown.out)["channels"][0]["ledger"]["output_bytes"] > 1000
    actions = [entry["action"] for entry in json.loads(psm("audit", "ls", "--json").out)]
    assert actions.count("recording.open") == 1


def test_looking_into_the_archive_by_path_is_audited_too(psm: Psm, home: Home) -> None:
    library.fill(home)
    folder = next(home.recordings.iterdir())

    assert psm("recording", "screen", str(folder), "--at", "1").code == 0

    entries = json.loads(psm("audit", "ls", "--json").out)
    assert entries[-1]["action"] == "recording.open"
    assert entries[-1]["session"] == folder.name


def test_an_exported_recording_still_verifies_and_the_copy_is_audited(
    psm: Psm, home: Home, tmp_path: Path
) -> None:
    library.fill(home)
    rows = json.loads(psm("recording", "ls", "--json").out)
    kai = next(row["id"] for row in rows if row["operator"] == "kai")

    assert psm("recording", "export", kai, str(tmp_path / "copy")).code == 0
    assert psm("recording", "export", kai, str(tmp_path / "kai.cast"), "--as", "v2").code == 0

    assert psm("recording", "verify", str(tmp_path / "copy")).out == "OK\n"
    assert (tmp_path / "copy" / "allowed_signers").read_bytes()
    assert json.loads((tmp_path / "kai.cast").read_text().splitlines()[0])["version"] == 2
    assert "make" in psm("recording", "screen", str(tmp_path / "kai.cast"), "--at", "20").out
    assert psm("recording", "export", kai, str(tmp_path / "copy")).code == 2
    actions = [entry["action"] for entry in json.loads(psm("audit", "ls", "--json").out)]
    assert actions.count("recording.export") == 3


@pytest.mark.parametrize("damage", ["truncated", "flipped", "garbage", "empty"])
def test_a_damaged_recording_is_named_as_such_and_still_never_a_traceback(
    psm: Psm, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "copy"
    source = next(path.parent for path in SAMPLES.glob("*/1-shell.cast"))
    shutil.copytree(source, folder)
    cast = folder / "1-shell.cast"
    content = cast.read_bytes()
    cast.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "flipped": content[:900] + bytes([content[900] ^ 1]) + content[901:],
            "garbage": os.urandom(5000),
            "empty": b"",
        }[damage]
    )

    assert psm("recording", "verify", str(folder)).code == 6
    assert psm("recording", "screen", str(cast), "--at", "2").code in {0, 1}
