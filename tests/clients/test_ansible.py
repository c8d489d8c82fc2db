"""Ansible over ssh: modules that run and files that are copied, with and without pipelining."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.tools import need
from tests.support.ways import Way, Ways, brief

ANSIBLE = Path(sys.executable).with_name("ansible-playbook")

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - ping:
    - copy: {{src: {files}/noise.bin, dest: {folder}/copied, mode: "0640"}}
      tags: copy
    - fetch: {{src: {folder}/copied, dest: {folder}/fetched, flat: true}}
      tags: copy
    - shell: echo grüße; exit 3
      register: ran
      failed_when: (ran.rc, ran.stdout) == (3, "grüße")
"""


@contextmanager
def _sockets() -> Iterator[Path]:
    """A place for Ansible's shared connections, which it leaves open: they are closed here."""
    folder = Path(tempfile.mkdtemp(prefix="cp-"))  # short: a socket's path may have 104 bytes
    try:
        yield folder
    finally:
        for socket in folder.iterdir():
            exiting = ["ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", "any"]
            subprocess.run(exiting, capture_output=True, timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def play(way: Way, files: Path, *options: str, **settings: str) -> tuple[int, list[str], list[str]]:
    """Run the playbook; return Ansible's status, its summary, and the files that there are."""
    hosts, playbook = way.folder / "hosts", way.folder / "play.yml"
    (way.folder / "ansible.cfg").touch()
    where = f"ansible_host={way.host} ansible_user={way.user}"
    common = f"-F {way.config}"
    if way.config is None:
        where += f" ansible_port={way.port} ansible_ssh_private_key_file={way.key}"
        common = f"-F none -o UserKnownHostsFile={way.known_hosts}"
    hosts.write_text(f"target {where} ansible_python_interpreter={sys.executable}\n")
    playbook.write_text(PLAYBOOK.format(files=files, folder=way.folder))
    with _sockets() as sockets:
        environment = {
            "ANSIBLE_HOME": str(way.folder / "ansible"),
            "ANSIBLE_CONFIG": str(way.folder / "ansible.cfg"),
            "ANSIBLE_REMOTE_TEMP": str(way.folder / "remote"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            "ANSIBLE_SSH_COMMON_ARGS": common,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_TIMEOUT": "60",
        }
        argv: list[str | Path] = [ANSIBLE, "-i", hosts, playbook, *options]
        done = way.run(argv, env=environment | settings, timeout_s=240)
    said = done.stdout.decode()
    summary = said.partition("PLAY RECAP")[2].split()[1:]
    assert summary, (said, done.stderr)
    made = [brief((way.folder / name).read_bytes()) for name in ("copied", "fetched")]
    return done.returncode, summary, made


@pytest.mark.parametrize("pipelining", ["False", "True"])
def test_a_playbook_comes_to_the_same(ways: Ways, files: Path, pipelining: str) -> None:
    need("ssh")

    status, summary, made = ways.same(lambda way: play(way, files, ANSIBLE_PIPELINING=pipelining))

    assert status == 2
    assert {"ok=3", "failed=1", "unreachable=0"} <= set(summary)
    noise = brief((files / "noise.bin").read_bytes())
    assert made == [noise, noise]


@pytest.mark.parametrize("method", ["scp", "piped"])
def test_files_go_by_scp_or_through_a_pipe_as_well(ways: Ways, files: Path, method: str) -> None:
    need("ssh", "scp")

    settings = {"ANSIBLE_SSH_TRANSFER_METHOD": method}
    status, _, made = play(ways.through, files, "--tags", "copy", **settings)

    noise = brief((files / "noise.bin").read_bytes())
    assert (status, made) == (0, [noise, noise])
