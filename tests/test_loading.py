"""Scripting commands start at once: they load neither the console's nor the broker's library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_HEAVY = ("textual", "rich", "asyncssh", "pyte", "sqlite_utils", "watchfiles")
_PROBE = f"""
import sys
{{body}}
print([name for name in {_HEAVY!r} if name in sys.modules])
"""
_COMMAND = """
from psm_console.cli.main import main
try:
    main({arguments!r})
except SystemExit as done:
    assert done.code == 0, done.code
"""


def _loaded(body: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(body=body)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_operations_load_no_console_and_no_ssh() -> None:
    assert _loaded("import psm_console.operations") == "[]"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loading") / "home"
    done = subprocess.run([sys.executable, "-m", "psm_console.cli", "--home", str(path), "init"])
    assert done.returncode == 0
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        "session ls --all",
        "session ls --json",
        "recording ls",
        "target ls",
        "account ls",
        "identity ls",
        "audit ls",
        "audit verify",
    ],
)
def test_a_listing_command_loads_no_console_and_no_ssh(home: Path, arguments: str) -> None:
    command = _COMMAND.format(arguments=["--home", str(home), *arguments.split()])

    assert _loaded(command) == "[]"
