"""lftp over sftp, which runs the user's own ssh beneath it."""

from __future__ import annotations

from pathlib import Path

from tests.support.tools import need
from tests.support.ways import Way, Ways, brief, tree


def lftp(way: Way, *commands: str) -> list[str]:
    """Return lftp at work on the server with `commands`; the first that fails ends it."""
    need("lftp")
    ssh = " ".join([*way.ssh, "-a", "-x"])
    script = [
        "set cmd:fail-exit true",
        "set net:max-retries 1",
        "set net:timeout 30",
        f'set sftp:connect-program "{ssh}"',
        f"open -u {way.user}, sftp://{way.host}",
        *commands,
    ]
    return ["lftp", "--norc", "-c", "; ".join(script)]


def test_a_tree_is_mirrored_both_ways(ways: Ways, files: Path) -> None:
    def carried(way: Way) -> list[list[str]]:
        up, down = way.folder / "up", way.folder / "down"
        way.good(
            lftp(
                way,
                f"mirror -R --parallel=3 {files} {up}",
                f"mirror --parallel=3 {up} {down}",
                f"put {files}/noise.bin -o {up}/again",
                f"mv {up}/again {up}/moved",
                f"get {up}/moved -o {down}/moved",
                f"rm {up}/empty",
            ),
            env={"LFTP_HOME": str(way.folder / "lftp")},
        )
        return [
            [f"{name} {digest}" for name, (_, digest) in tree(one).items()] for one in (up, down)
        ]

    up, down = ways.same(carried)

    sent = [f"{name} {digest}" for name, (_, digest) in tree(files).items()]
    moved = "moved " + brief((files / "noise.bin").read_bytes())
    assert sorted(down) == sorted([*sent, moved])
    assert sorted(up) == sorted([*(one for one in sent if not one.startswith("empty")), moved])


def test_what_is_not_there_is_told(ways: Ways) -> None:
    def missed(way: Way) -> tuple[int, bool]:
        done = way.run(lftp(way, "get /none/such -o x"))
        return done.returncode, b"No such file" in done.stderr

    assert ways.same(missed) == (1, True)
