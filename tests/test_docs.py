"""What the documents say is what the program does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from psm_console.cli.main import psm
from psm_console.credentials import make_key
from psm_console.operations import read_inventory_file
from psm_console.store import load_policy
from tests.support.key_table import key_table

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text("utf-8")


def _commands(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        full = f"{words} {name}"
        if isinstance(command, click.Group):
            yield from _commands(command, full)
        else:
            yield full, command


COMMANDS = dict(_commands(psm, "psm"))


def test_the_key_table_of_the_readme_is_the_one_made_from_the_actions() -> None:
    assert key_table() in README, "put the output of `python -m tests.support.key_table` there"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_is_documented(words: str) -> None:
    assert f"`{words}" in CLI

    options = {
        option
        for parameter in COMMANDS[words].params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
    }
    assert {option for option in options if option not in CLI} == set()


def test_every_command_that_the_documents_name_exists() -> None:
    named = set(re.findall(r"`(psm(?: [a-z]+)+)", README + CLI))

    known = {*COMMANDS, *(words.rpartition(" ")[0] for words in COMMANDS)}
    assert {
        words
        for words in named
        if not any(words == one or words.startswith(f"{one} ") for one in known)
    } == set()


def test_the_configuration_that_the_documents_show_is_accepted(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", CLI, re.S)
    (config,) = [block for block in blocks if "[limits]" in block]
    path = tmp_path / "config.toml"
    path.write_text(config)

    assert load_policy(path) == load_policy(tmp_path / "none.toml"), "it shows the defaults"


def test_what_the_documents_say_of_logging_in_is_understood(tmp_path: Path) -> None:
    (block,) = re.findall(
        r"```toml\n(.*?)```", (ROOT / "docs" / "login.md").read_text("utf-8"), re.S
    )
    key = make_key(tmp_path / "key", "")
    (tmp_path / "eve.totp").touch(mode=0o600)
    path = tmp_path / "inventory.toml"
    path.write_text(re.sub(r'"(?:sk-)?ssh-ed25519\S* AAAA…"', f'"{key}"', block))

    found = read_inventory_file(path)

    assert set(found.identities) == {"ana", "eve", "backup"} and set(found.groups) == {"ops"}


def test_the_inventory_that_the_documents_show_is_toml() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", CLI, re.S)
    (inventory,) = [block for block in blocks if "[[grants]]" in block]

    assert set(tomllib.loads(inventory)) == {"identities", "targets", "grants"}


def test_the_table_of_clients_names_the_tests_that_there_are() -> None:
    table = (ROOT / "docs" / "clients.md").read_text("utf-8")
    named = set(re.findall(r"`(tests/clients/\w+\.py)`", table))

    there = (ROOT / "tests" / "clients").glob("test_*.py")
    assert named == {str(path.relative_to(ROOT)) for path in there}


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_has_the_two_commands_that_ci_runs_too() -> None:
    lines = README.splitlines()

    assert "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/psm demo" in lines
    test = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"
    assert test in lines
