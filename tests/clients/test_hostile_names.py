"""User names that a shell would run, and an ssh configuration that is none of the broker's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker.stand import Stand
from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.tools import need
from tests.support.waiting import eventually_sync
from tests.support.ways import Ways

from .test_dropbear import dbclient

pytestmark = pytest.mark.attack

HOSTILE = [
    "ana+$(touch {mark})@db1",
    "ana+`touch {mark}`@db1",
    "ana+root;touch {mark}@db1",
    "ana+root@db1;touch {mark}",
    "ana+root@db1|touch {mark}",
    "ana+root@db1\ntouch {mark}",
    "ana+root@-oProxyCommand=touch {mark}",
    "-oProxyCommand=touch {mark}",
    "ana+root@%h.%p.%r",
    "ana+root@${{HOME}}",
    "ana+root@../../db1",
    "ana+root@db1/../db1",
    "ana+root@db1\x1b]0;pwned\x07",
    "ana+root@db1\u202e",
    "ana+root@db1\u200b",
    "ana+root@DB1",
    "ana+root@db1\u2066",
    "ana+root@db1\u061c",
    "ana+root@db1 ",
    "ana+ROOT@db1",
    "ana+root@db1@db1",
    "ana+ana+root@db1",
    "ana%2broot@db1",
    "root@db1%eth0",
]


def test_a_hostile_user_name_is_refused_shown_safely_and_run_by_nothing(
    stand: Stand, ways: Ways, tmp_path: Path
) -> None:
    """dbclient sends whatever name it is given, which newer releases of OpenSSH's ssh do not."""
    mark = tmp_path / "mark"
    way = ways.through
    argv = dbclient(way)
    for user in (name.format(mark=mark) for name in HOSTILE):
        done = way.run([*argv, "-l", user, way.host, "echo in"])

        assert done.stdout == b"", user
        assert done.stderr.rstrip().endswith((b"No auth methods could be used.", b"received")), user

    assert not mark.exists()
    assert not stand.sessions(live_only=False)

    def told() -> list[str]:
        entries = stand.read(lambda store: store.audit.list(action="login.refuse"))
        return [f"{entry.actor} {entry.detail}" for entry in entries]

    assert eventually_sync(told, what="an audit entry")
    assert all(text.isprintable() and "from 127.0.0.1" in text for text in told())


CONFIG = """\
Match exec "touch {folder}/by-match"
    Compression no
Host *
    ProxyCommand touch {folder}/by-proxy
    LocalCommand touch {folder}/by-local
    PermitLocalCommand yes
    User nobody
    Port 1
    HostName 192.0.2.1
    RemoteCommand touch {folder}/by-remote
    IdentityFile {folder}/none-%r-%h
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking no
"""


def test_the_ssh_configuration_of_the_brokers_user_is_not_read(tmp_path: Path) -> None:
    need("ssh", "sshd")
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text(CONFIG.format(folder=tmp_path))

    with (
        Sshd() as target,
        Broker(target, env={"HOME": str(tmp_path)}) as broker,
        broker.client() as client,
    ):
        done = client.run(broker.login, "echo there")

    assert (done.returncode, done.stdout) == (0, b"there\n"), done.stderr
    assert not list(tmp_path.glob("by-*"))
