"""The store is damaged, taken away or older than it was: what is refused, and what is found."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.sshd import Sshd
from tests.support.waiting import eventually_sync

from .test_supervisor import crowd

pytestmark = pytest.mark.fault

PAGE = 4096
"""Bytes of a page of SQLite."""


@pytest.fixture
def broker(target: Sshd) -> Iterator[Broker]:
    with Broker(target) as found:
        yield found


@pytest.fixture(scope="module")
def target() -> Iterator[Sshd]:
    with Sshd() as found:
        yield found


def everything(database: Path) -> Iterator[int]:
    """The numbers of all pages but the first, which says what file this is."""
    yield from range(2, database.stat().st_size // PAGE + 1)


def one_that_no_start_reads(database: Path) -> Iterator[int]:
    """The number of one page; sqlite_schema."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as raw:
        yield from raw.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'used_codes'"
        ).fetchone()


@pytest.mark.parametrize("pages", [everything, one_that_no_start_reads])
def test_a_broker_does_not_start_on_a_damaged_store_and_says_what_to_do(
    broker: Broker, pages: Callable[[Path], Iterator[int]]
) -> None:
    broker.stop()
    database = broker.home / "psm.db"
    whole = database.read_bytes()
    damaged = bytearray(whole)
    for number in pages(database):
        damaged[(number - 1) * PAGE : number * PAGE] = b"\xa5" * PAGE
    database.write_bytes(damaged)

    refused = broker.psm("serve", "--listen", "127.0.0.1:0", check=False)

    assert refused.returncode == 1 and refused.stdout == ""
    assert "is damaged; stop the broker and put back a backup of it" in refused.stderr
    assert "Traceback" not in refused.stderr
    database.write_bytes(whole)
    broker.start()
    with broker.client() as client:
        assert client.run(broker.login, "echo on").stdout == b"on\n"


def test_a_store_deleted_under_a_broker_leaves_live_sessions_and_starts_none(
    broker: Broker,
) -> None:
    database = broker.home / "psm.db"
    aside = broker.home / "aside.db"
    with crowd(broker) as operators, broker.client() as client:
        live = operators.add()
        session = broker.wait_session()
        database.rename(aside)
        try:
            refused = client.run(broker.login, "echo never")
            assert refused.returncode == 255 and refused.stdout == b""
            assert b"can not be recorded at the moment" in refused.stderr
            for _ in range(5):
                assert operators.answers(live)
        finally:
            aside.rename(database)
        assert live.stdin is not None
        live.stdin.close()
        assert live.wait(10) == 0

        def ended() -> bool:
            return any(
                one["id"] == session["id"] and one["state"] == "ended"
                for one in broker.sessions("--all")
            )

        eventually_sync(ended, what="the end to be stored once the store is back")
        assert client.run(broker.login, "echo on").stdout == b"on\n"


def test_a_store_rolled_back_shows_against_a_head_and_by_the_recordings_it_lacks(
    broker: Broker,
) -> None:
    with broker.client() as client:
        assert client.run(broker.login, "echo one").stdout == b"one\n"
        broker.stop()
        backup = broker.folder / "backup.db"
        shutil.copy(broker.home / "psm.db", backup)
        broker.start()
        assert client.run(broker.login, "echo two").stdout == b"two\n"
        kept = {one["id"] for one in broker.sessions("--all")}
        broker.stop()
        noted = json.loads(broker.psm("audit", "verify", "--json").stdout)["head"]
        shutil.copy(backup, broker.home / "psm.db")
        broker.start()

        assert broker.psm("audit", "verify").returncode == 0, "an older log is whole in itself"
        found = broker.psm("audit", "verify", "--head", noted, check=False)
        assert found.returncode == 6
        (missing,) = kept - {one["id"] for one in broker.sessions("--all")}
        judged = broker.psm("recording", "verify", "--all", check=False)
        assert judged.returncode == 6
        (line,) = [line for line in judged.stdout.splitlines() if missing in line]
        assert "ORPHAN" in line
