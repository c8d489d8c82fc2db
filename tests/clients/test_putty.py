"""PuTTY's plink, pscp and psftp."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import PtyProcess
from tests.support.tools import find_tool, need
from tests.support.ways import Ran, Way, Ways, brief, tree

ENDS = {"exit 0": 0, "exit 3": 3, "exit 255": 255}


def putty(way: Way, program: str) -> list[str]:
    """Return a PuTTY program with this way's key and host key; PuTTY reads a form of its own."""
    need(program, "puttygen")
    key = way.folder / "key.ppk"
    if not key.exists():
        way.good(["puttygen", way.key, "-O", "private", "-o", key])
    found = find_tool(program)
    assert found is not None
    pinned = way.good(["ssh-keygen", "-l", "-f", _public(way)]).split()[1]
    return [found, "-batch", "-P", str(way.port), "-i", str(key), "-hostkey", pinned]


def _public(way: Way) -> Path:
    path = way.folder / "host.pub"
    path.write_text(f"{way.host_key_line}\n")
    return path


@pytest.mark.parametrize("end", ENDS)
def test_plink_gives_a_commands_streams_and_its_status(ways: Ways, noise: bytes, end: str) -> None:
    def ran(way: Way) -> Ran:
        argv = [*putty(way, "plink"), "-ssh", "-l", way.user, way.host]
        done = way.run([*argv, f"cat; echo done >&2; {end}"], stdin=noise)
        return Ran.of(done.returncode, done.stdout, done.stderr[-5:])

    assert ways.same(ran) == Ran(ENDS[end], brief(noise), "done\n")


def test_plink_tells_of_a_signal(ways: Ways) -> None:
    def ran(way: Way) -> tuple[int, bool]:
        argv = [*putty(way, "plink"), "-ssh", "-l", way.user, way.host, "kill -TERM $$"]
        done = way.run(argv)
        return done.returncode, b'exited on signal "TERM"' in done.stderr

    ways.same(ran)


def test_plink_in_a_terminal_shows_what_is_typed(ways: Ways) -> None:
    def typed(way: Way) -> int:
        command = 'stty size; read x; echo "<$x>"; exit 3'
        argv = [*putty(way, "plink"), "-ssh", "-t", "-l", way.user, way.host, command]
        with PtyProcess(
            argv, columns=91, rows=31, env=way.environment({"TERM": "xterm"})
        ) as terminal:
            terminal.wait_for("31 91")
            terminal.type("typed\r")
            terminal.wait_for("<typed>")
            return terminal.wait_exit()

    assert ways.same(typed) == 3


@pytest.mark.parametrize("protocol", ["-sftp", "-scp"])
def test_pscp_carries_a_tree_both_ways(ways: Ways, files: Path, protocol: str) -> None:
    def carried(way: Way) -> list[str]:
        up, down = way.folder / "up", way.folder / "down"
        up.mkdir()
        down.mkdir()
        argv = [*putty(way, "pscp"), protocol, "-q", "-r"]
        way.good([*argv, files, f"{way.at}:{up}"])
        way.good([*argv, f"{way.at}:{up}/files", down])
        return [digest for folder in (up, down) for _, digest in tree(folder / "files").values()]

    assert ways.same(carried) == [digest for _, digest in tree(files).values()] * 2


def test_psftp_carries_files_both_ways(ways: Ways, files: Path) -> None:
    def done(way: Way) -> list[str]:
        script = way.folder / "script"
        commands = [
            f"mkdir {way.folder}/up",
            f"cd {way.folder}/up",
            f"lcd {files}",
            "put noise.bin",
            "mv noise.bin second.bin",
            "ls",
            f"lcd {way.folder}",
            "get second.bin",
            "chmod 600 second.bin",
            "put -r .ssh dir",
            "quit",
        ]
        script.write_text("\n".join(commands) + "\n")
        way.good([*putty(way, "psftp"), "-b", script, way.at])
        found = tree(way.folder)
        assert "up/dir/known_hosts" in found
        return [found["up/second.bin"][1], found["second.bin"][1]]

    noise = brief((files / "noise.bin").read_bytes())
    assert ways.same(done) == [noise, noise]
