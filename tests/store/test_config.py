"""config.toml becomes a Policy, or a sentence that names the path of the fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from psm_console.domain.policy import InputRecording, Limits, Policy, RecordingPolicy
from psm_console.store import DocumentError, load_policy
from psm_console.store.config import RANGES, values


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_policy(path)


def test_no_file_and_an_empty_file_mean_the_defaults(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "none.toml") == Policy()
    assert policy(tmp_path, "") == Policy()


def test_every_value_reaches_the_policy(tmp_path: Path) -> None:
    found = policy(
        tmp_path,
        """
        notice = "Watched."
        environment = ["LANG", "LC_*"]
        [limits]
        idle_s = 60
        duration_s = 0
        pause_s = 1.5
        warn_s = 10
        withheld_bytes = 8192
        channels = 3
        [recording]
        input = "always"
        quota_bytes = 1000
        checkpoint_s = 2
        checkpoint_bytes = 65536
        """,
    )

    assert found == replace(
        Policy(),
        limits=Limits(60, 0, 1.5, 10, 8192, 3),
        recording=RecordingPolicy(InputRecording.ALWAYS, 1000, 2, 65536),
        environment=("LANG", "LC_*"),
        notice="Watched.",
    )


def test_every_number_of_the_policy_has_a_range() -> None:
    numbers = [
        place
        for place, value in values(Policy())
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]

    assert sorted(numbers) == sorted(RANGES)


@pytest.mark.attack
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nidle = 3", "limits.idle: is not known here"),
        ("limit = 3", "limit: is not known here"),
        ("[limits]\nidle_s = '3'", "limits.idle_s: expected `float`, got `str`"),
        ("[limits]\nidle_s = -1", "limits.idle_s: expected 0 to"),
        ("[limits]\nidle_s = nan", "limits.idle_s: expected 0 to"),
        ("[limits]\npause_s = inf", "limits.pause_s: expected 0 to"),
        ("[limits]\nchannels = 0", "limits.channels: expected 1 to 100, got 0"),
        ("[limits]\nchannels = 1.5", "limits.channels: expected `int`"),
        ("[limits]\nwithheld_bytes = 99999999999", "limits.withheld_bytes"),
        ("[recording]\ninput = 'terminat'", "recording.input: invalid enum value"),
        ("[recording]\ncheckpoint_s = 11", "recording.checkpoint_s: expected 0.1 to 10, got 11"),
        ("environment = ['A', 'LD_*X']", "environment[1]: expected a variable's name"),
        ("environment = 'LANG'", "environment: expected `array`"),
        ('notice = "a\\u001b[31m"', "notice: expected up to 2000 characters of plain text"),
        ("[limits", "is not TOML"),
        ("environment = ['A\\u001b']", "environment[0]: "),
        ("[limits]\nidle_s=1\nidle_s=2", "is not TOML"),
        ("[sftp]\ndenied_paths = ['/etc/*', 'etc']", "sftp.denied_paths[1]: expected a path"),
        ("[sftp]\nupload = 'no'", "sftp.upload: expected `bool`"),
        ("limits = 3", "limits: expected `object`"),
    ],
)
def test_a_fault_is_named_by_its_path(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        policy(tmp_path, text)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.attack
def test_files_that_are_no_documents_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"notice = '\xe9'")
    (tmp_path / "deep").write_text("a = " + "[" * 5000)
    (tmp_path / "number").write_text("a = " + "9" * 5000)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(17 << 20)

    for name, said in (
        ("folder", "not a file"),
        ("latin", "UTF-8"),
        ("deep", "nests too deeply"),
        ("number", "is not TOML"),
        ("huge", "bytes"),
    ):
        with pytest.raises(DocumentError, match=said):
            load_policy(tmp_path / name)
