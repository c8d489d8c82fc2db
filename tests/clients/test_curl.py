"""curl's sftp and scp, which are libssh2's, as in many programs and languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tools import need
from tests.support.ways import Way, Ways, brief


def curl(way: Way, *arguments: str | Path) -> list[str | Path]:
    """Return curl with this way's user and key; it reads known_hosts below its home."""
    need("curl")
    public = way.key.with_name(way.key.name + ".pub")
    who: list[str | Path] = ["--user", f"{way.user}:", "--key", way.key, "--pubkey", public]
    return ["curl", "--disable", "--silent", "--show-error", *who, *arguments]


@pytest.mark.parametrize("protocol", ["sftp", "scp"])
def test_a_file_is_sent_and_fetched(ways: Ways, files: Path, protocol: str) -> None:
    def carried(way: Way) -> list[str]:
        there, back = way.folder / "there", way.folder / "back"
        url = f"{protocol}://{way.host}:{way.port}{there}"
        way.good(curl(way, "--upload-file", files / "noise.bin", url))
        way.good(curl(way, "--output", back, url))
        return [brief(path.read_bytes()) for path in (there, back)]

    noise = brief((files / "noise.bin").read_bytes())
    assert ways.same(carried) == [noise, noise]


def test_what_is_not_there_is_told(ways: Ways) -> None:
    def missed(way: Way) -> int:
        return way.run(curl(way, f"sftp://{way.host}:{way.port}/none/such")).returncode

    assert ways.same(missed) == 78
