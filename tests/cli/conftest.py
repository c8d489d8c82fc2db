"""`psm` run in this process on a home of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from psm_console.cli.main import main
from psm_console.operations import init
from psm_console.store import Home, utc_now


@dataclass
class Result:
    code: int
    out: str
    err: str


Psm = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    init(made, utc_now())
    return made


@pytest.fixture
def psm(home: Home, capsys: pytest.CaptureFixture[str]) -> Iterator[Psm]:
    def run(*arguments: str, home: Path = home.root) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(["--home", str(home), *arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Result(int(left.value.code or 0), printed.out, printed.err)

    yield run
