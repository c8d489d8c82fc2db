"""scp in both protocols, sftp and rsync: the same files, and the same status where one fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.tools import need
from tests.support.ways import Way, Ways, tree


def _scp(way: Way) -> list[str]:
    """ssh's options as scp and sftp take them."""
    return [part if part != "-p" else "-P" for part in way.ssh[1:]]


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_carries_a_tree_both_ways(ways: Ways, files: Path, protocol: str) -> None:
    need("scp")

    def carried(way: Way) -> list[dict[str, tuple[int, str]]]:
        argv = ["scp", *_scp(way), "-q", protocol, "-r", "-p"]
        up, down = way.folder / "up", way.folder / "down"
        way.good([*argv, files, f"{way.at}:{up}"])
        way.good([*argv, f"{way.at}:{up}", down])
        return [tree(up), tree(down)]

    assert ways.same(carried) == [tree(files), tree(files)]


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_says_what_is_not_there(ways: Ways, protocol: str) -> None:
    need("scp")

    def missed(way: Way) -> tuple[int, bool]:
        done = way.run(["scp", *_scp(way), protocol, f"{way.at}:/none/such", way.folder / "x"])
        return done.returncode, b"No such file" in done.stderr

    assert ways.same(missed) == (1, True)


def test_sftp_carries_a_tree_both_ways_and_does_all_that_it_can_do(ways: Ways, files: Path) -> None:
    need("sftp")

    def done(way: Way) -> tuple[dict[str, tuple[int, str]], ...]:
        up, down = way.folder / "up", way.folder / "down"
        down.mkdir()
        commands = [
            f"mkdir {up}",
            f"put -Rp {files}/* {up}",
            f"get -Rp {up}/* {down}",
            f"put {files}/noise.bin {up}/second",
            f"rename {up}/second {up}/third",
            f"ln -s {up}/third {up}/link",
            f"ln {up}/third {up}/hard",
            f"chmod 600 {up}/hard",
            f"get {up}/link {down}/followed",
            f"rm {up}/empty",
            f"mkdir {up}/gone",
            f"rmdir {up}/gone",
            f"ls -la {up}",
            f"df {up}",
            f"reget {up}/third {down}/part",
        ]
        (down / "part").write_bytes((files / "noise.bin").read_bytes()[:1_000_000])
        script = "\n".join(commands).encode() + b"\n"
        way.good(["sftp", *_scp(way), "-b", "-", way.at], stdin=script)
        return tree(up), tree(down)

    up, down = ways.same(done)

    sent = tree(files)
    noise = sent["noise.bin"][1]
    assert {name: down[name] for name in sent} == sent
    assert {up["third"], up["hard"]} == {(0o600, noise)} and up["link"][1] == noise
    assert "empty" not in up
    assert down["followed"][1] == down["part"][1] == noise


def test_sftps_batch_ends_at_what_goes_wrong(ways: Ways) -> None:
    need("sftp")

    def failed(way: Way) -> tuple[int, bool]:
        script = f"get /none/such\nmkdir {way.folder}/after\n".encode()
        done = way.run(["sftp", *_scp(way), "-b", "-", way.at], stdin=script)
        return done.returncode, (way.folder / "after").exists()

    assert ways.same(failed) == (1, False)


@pytest.mark.parametrize("flags", ["-az", "-aAXH --inplace --whole-file"])
def test_rsync_carries_a_tree_both_ways(ways: Ways, files: Path, flags: str) -> None:
    need("rsync")

    def carried(way: Way) -> list[dict[str, tuple[int, str]]]:
        up, down = way.folder / "up", way.folder / "down"
        rsync = ["rsync", *flags.split(), "-e", " ".join(way.ssh)]
        way.good([*rsync, f"{files}/", f"{way.at}:{up}/"])
        way.good([*rsync, f"{way.at}:{up}/", f"{down}/"])
        return [tree(up), tree(down)]

    assert ways.same(carried) == [tree(files), tree(files)]


def test_rsync_sends_only_what_changed_and_removes_what_is_gone(ways: Ways, files: Path) -> None:
    need("rsync")

    def synced(way: Way) -> tuple[dict[str, tuple[int, str]], str]:
        mine, up = way.folder / "mine", way.folder / "up"
        shutil.copytree(files, mine)
        rsync = ["rsync", "-a", "--delete", "--checksum", "--stats", "-e", " ".join(way.ssh)]
        way.good([*rsync, f"{mine}/", f"{way.at}:{up}/"])
        (mine / "empty").unlink()
        with (mine / "noise.bin").open("ab") as file:
            file.write(b"more")
        said = way.good([*rsync, f"{mine}/", f"{way.at}:{up}/"])
        moved = next(line for line in said.splitlines() if line.startswith("Literal data"))
        assert tree(up) == tree(mine)
        return tree(up), moved

    up, moved = ways.same(synced)

    assert "empty" not in up
    assert int(moved.split()[2].replace(",", "")) < 100_000


def test_rsync_says_what_is_not_there(ways: Ways) -> None:
    need("rsync")

    def missed(way: Way) -> int:
        rsync = ["rsync", "-a", "-e", " ".join(way.ssh)]
        return way.run([*rsync, f"{way.at}:/none/such", f"{way.folder}/x"]).returncode

    assert ways.same(missed) == 23
