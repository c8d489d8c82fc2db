"""The home is ours alone, or refused with a sentence that says how to mend it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from psm_console.store import Home, HomeError

from .factories import make_home


def test_a_new_home_is_closed_to_everybody_else(tmp_path: Path) -> None:
    home = make_home(tmp_path)

    for folder in (home.root, home.run, home.recordings, home.keys):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    home.check()


def test_making_a_home_again_keeps_what_is_in_it_and_closes_it(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    home.config.write_text("")
    home.root.chmod(0o755)

    home.create()

    assert home.config.exists()
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_a_missing_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="psm init"):
        Home(tmp_path / "nowhere").check()


@pytest.mark.attack
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("", 0o750),
        ("keys", 0o720),
        ("recordings", 0o702),
        ("run", 0o777),
        ("keys/host_key", 0o640),
        ("keys/recording_key", 0o604),
        ("keys/target_key", 0o644),
        ("keys/allowed_signers", 0o660),
        ("config.toml", 0o602),
        ("psm.db", 0o620),
    ],
)
def test_what_others_could_change_or_use_is_refused_with_the_command_that_closes_it(
    tmp_path: Path, name: str, mode: int
) -> None:
    home = make_home(tmp_path)
    path = home.root / name
    if not path.exists():
        path.write_text("x")
    path.chmod(mode)

    with pytest.raises(HomeError) as caught:
        home.check()

    assert f"chmod {stat.S_IMODE(path.stat().st_mode) & 0o700:o} {path}" in str(caught.value)
    path.chmod(0o700)
    home.check()


@pytest.mark.attack
def test_a_foreign_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_home(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: home.root.stat().st_uid + 1)

    with pytest.raises(HomeError, match="belongs to"):
        home.check()


def test_a_sticky_parent_that_all_may_write_is_no_reason_to_refuse(tmp_path: Path) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(0o1777)

    make_home(parent).check()


def test_a_home_with_too_long_a_path_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path / ("x" * 120))

    with pytest.raises(HomeError, match="shorter"):
        home.create()

    assert not home.root.exists()


def test_a_file_in_place_of_a_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(HomeError, match="not a directory"):
        make_home(tmp_path)
    with pytest.raises(HomeError, match="not a directory"):
        Home(tmp_path / "home").check()


def test_the_home_is_the_one_named_then_the_environment_s_then_the_platform_s(
    tmp_path: Path,
) -> None:
    assert Home.default(tmp_path, {"PSM_HOME": "/x"}).root == tmp_path
    assert Home.default(None, {"PSM_HOME": str(tmp_path / "e")}).root == tmp_path / "e"
    assert Home.default(None, {}).root.name == "psm"


@pytest.mark.attack
@pytest.mark.parametrize("name", ["", ".", "..", "../keys", "a/b", "/etc", "a\0b"])
def test_an_id_that_walks_paths_names_no_recording(tmp_path: Path, name: str) -> None:
    with pytest.raises(HomeError):
        make_home(tmp_path).recording(name)
