"""rclone's sftp backend: golang's ssh, with commands for the digests beside sftp."""

from __future__ import annotations

from pathlib import Path

from tests.support.tools import need
from tests.support.ways import Way, Ways, tree


def rclone(way: Way, *arguments: str) -> list[str]:
    """Return rclone with this way's server as the remote named `target`."""
    need("rclone")
    settings = way.folder / "rclone.conf"
    settings.write_text(
        f"[target]\ntype = sftp\nhost = {way.host}\nport = {way.port}\nuser = {way.user}\n"
        f"key_file = {way.key}\nknown_hosts_file = {way.known_hosts}\n"
    )
    return ["rclone", "--config", str(settings), "--retries", "1", *arguments]


def test_a_tree_is_copied_both_ways_and_a_difference_is_found_by_digest(
    ways: Ways, files: Path
) -> None:
    def carried(way: Way) -> tuple[list[list[str]], int]:
        up, down = way.folder / "up", way.folder / "down"
        way.good(rclone(way, "copy", str(files), f"target:{up}"))
        way.good(rclone(way, "copy", f"target:{up}", str(down)))
        found = [[digest for _, digest in tree(folder).values()] for folder in (up, down)]
        with (up / "noise.bin").open("r+b") as file:
            file.write(b"not this")
        return found, way.run(rclone(way, "check", str(files), f"target:{up}")).returncode

    sent = [digest for _, digest in tree(files).values()]
    assert ways.same(carried) == ([sent, sent], 1)


def test_what_is_not_there_is_told(ways: Ways) -> None:
    missed = ways.same(lambda way: way.run(rclone(way, "ls", "target:/none/such")).returncode)

    assert missed == 3
