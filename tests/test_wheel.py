"""What users install: the wheel holds themes and sample sessions, and runs without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it, without its dependencies, into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run(
        [*install, "--no-compile", "--target", str(folder / "site"), str(wheel)],
        check=True,
        env=os.environ | {"PIP_CONFIG_FILE": os.devnull},
    )
    return folder / "site"


def _python(site: Path, code: str) -> str:
    """Run `code` where only the installed wheel can be imported; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=site.parent,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_installed_program_is_the_one_from_the_wheel(site: Path) -> None:
    where = _python(site, "import psm_console; print(psm_console.__file__)")

    assert where == str(site / "psm_console" / "__init__.py")
    assert (site / "bin" / "psm").exists()
    assert (site / "psm_console" / "py.typed").exists()


def test_themes_reach_the_wheel_and_load_from_there(site: Path) -> None:
    code = (
        "from psm_console.console.themes import load_themes, theme_folders\n"
        "found = load_themes(theme_folders({}))\n"
        "print(*sorted(found.themes), *found.faults, *{one.path.parent for one in"
        " found.themes.values()})"
    )
    names = _python(site, code).split()

    ours = sorted(path.stem for path in (ROOT / "themes").glob("*.toml"))
    assert {"daylight", "nightwatch"} <= set(ours)
    assert names == [*ours, str(site / "psm_console" / "_data" / "themes")]


def test_sample_sessions_reach_the_wheel_and_fill_a_library_from_there(
    site: Path, tmp_path: Path
) -> None:
    code = (
        "from pathlib import Path\n"
        "from psm_console.demo import library\n"
        "from psm_console.operations import init\n"
        "from psm_console.store import Home, utc_now\n"
        f"home = Home(Path({str(tmp_path / 'home')!r}))\n"
        "init(home, utc_now())\n"
        "print(library.samples())\n"
        "print(library.fill(home))"
    )
    where, count = _python(site, code).splitlines()

    assert where == str(site / "psm_console" / "_data" / "sample_sessions")
    assert int(count) >= 4
    assert len(list((tmp_path / "home" / "recordings").iterdir())) == int(count)
