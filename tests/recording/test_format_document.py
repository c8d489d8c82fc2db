"""docs/recording-format.md can be followed to the letter by somebody without psm."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from psm_console.domain.session import ChannelKind
from psm_console.recording import lines, verify

from .making import make_recorder, open_exec, open_shell, signer_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "recording-format.md"


def commands() -> str:
    """Return all shell commands of the document, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)
    assert len(blocks) == 7
    return "set -eu\n" + "".join(blocks)


def follow(folder: Path, file: str, *, seed: int = 1) -> subprocess.CompletedProcess[str]:
    """Do what the document says, for one cast."""
    signers = folder.parent / "allowed_signers"
    signers.write_text(signer_of(seed).allowed_signers_line + "\n")
    environment = {"PATH": os.environ["PATH"], "SIGNERS": str(signers), "FILE": file}
    return subprocess.run(
        ["bash", "-c", commands()], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recorder = make_recorder(tmp_path)
    shell, piped = open_shell(recorder, 1), open_exec(recorder, 2)
    shell.output(1, b"hello \xff\r\n")
    piped.output(2, bytes(range(256)) * 10)
    piped.output(3, b"\0" * 3000)
    files = recorder.open_channel(3, ChannelKind.SFTP, at=3.0, size=None)
    files.output(3.5, b"packets")
    forward = recorder.open_channel(4, ChannelKind.FORWARD, at=3.0, size=None, command="h:1")
    forward.input(3.5, b"packets")
    (tmp_path / "digest").write_text(recorder.close(4, "done").digest)
    return tmp_path / "s1"


@pytest.mark.parametrize("file", ["1-shell.cast", "2-exec.cast", "3-sftp.jsonl", "4-forward.jsonl"])
def test_the_commands_accept_a_whole_recording_and_print_its_digest(
    folder: Path, file: str
) -> None:
    done = follow(folder, file)

    assert done.returncode == 0, done.stderr
    assert 'Good "psm-recording" signature for psm' in done.stdout
    assert done.stdout.split()[-2] == (folder.parent / "digest").read_text()


def flip_text(folder: Path) -> None:
    path = folder / "2-exec.cast"
    path.write_bytes(path.read_bytes().replace(b'"kind":"exec"', b'"kind":"Exec"'))


def flip_bulk(folder: Path) -> None:
    path = folder / "2-exec.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")


def cut(folder: Path) -> None:
    path = folder / "2-exec.cast"
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:3]) + b"\n")


def other_session(folder: Path) -> None:
    path = folder / "session.json"
    path.write_text(path.read_text().replace('"s1"', '"s2"'))


@pytest.mark.attack
@pytest.mark.parametrize("damage", [flip_text, flip_bulk, cut, other_session])
def test_the_commands_refuse_what_is_not_whole(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)

    assert follow(folder, "2-exec.cast").returncode != 0


@pytest.mark.attack
def test_the_commands_refuse_another_key(folder: Path) -> None:
    assert follow(folder, "1-shell.cast", seed=2).returncode != 0


def test_the_document_names_every_line_and_every_word() -> None:
    text = DOCUMENT.read_text()
    source = "".join(path.read_text() for path in Path(lines.__file__).parent.glob("*.py"))
    written = set(re.findall(r'(?:note|_block)\(\s*"([a-z]+)"', source)) | {"raw", "part"}

    assert len(written) >= 9
    for word in written:
        assert f"`# psm {word} " in text
    for verdict in verify.VerdictWord:
        assert f"| {verdict} |" in text
