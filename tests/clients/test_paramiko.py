"""paramiko, which scripts, Fabric and old Ansible use."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tests.support.ways import Way, Ways

SCRIPT = Path(__file__).with_name("paramiko_client.py")


def test_commands_a_shell_and_sftp_on_one_connection_come_to_the_same(
    ways: Ways, files: Path, noise: bytes
) -> None:
    def worked(way: Way) -> dict[str, Any]:
        port = str(way.port)
        argv: list[str | Path] = [sys.executable, SCRIPT, way.host, port, way.user, way.key]
        done = way.good([*argv, way.known_hosts, files, way.folder])
        seen: dict[str, Any] = json.loads(done)
        return seen

    seen = ways.same(worked)

    sha, size = hashlib.sha256(noise).hexdigest(), len(noise)
    assert seen["commands"] == [[status, size, sha, "done\n"] for status in (0, 3, 255)]
    assert seen["signal"][0] == -1
    assert seen["shell"] == [3, True, True]
    assert seen["sftp"] == [size, sha, "not there", ["there-2", "there-link"]]
