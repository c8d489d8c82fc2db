"""The store opens what is ours, brings it up to date, and refuses the rest with a sentence."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from psm_console.store import Home, Store, StoreBusy, StoreError, connection, schema
from psm_console.store.store import SCHEMA_VERSION

from .factories import NOON, Clock, make_home, make_session, make_store, register


def test_a_new_store_is_closed_to_everybody_else(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)

        for path in store.home.root.glob("psm.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_schema_version_counts_the_migrations(tmp_path: Path) -> None:
    assert len(schema.migrations._migrations) == SCHEMA_VERSION

    with make_store(tmp_path) as store:
        raw = sqlite3.connect(store.home.database)
        assert raw.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
        assert raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        raw.close()


@pytest.mark.parametrize("applied", range(SCHEMA_VERSION))
def test_a_store_of_any_older_schema_is_brought_up_to_date(tmp_path: Path, applied: int) -> None:
    home = make_home(tmp_path)
    _older_store(home, applied)

    with Store.open(home) as store:
        register(store)
        store.sessions.begin(make_session())
        assert [one.id for one in store.sessions.list()] == ["s-7100"]


def _older_store(home: Home, applied: int) -> None:
    from sqlite_utils import Database

    raw = sqlite3.connect(home.database)
    names = [one.name for one in schema.migrations._migrations]
    schema.migrations.apply(Database(raw), stop_before=names[applied])
    raw.execute(f"PRAGMA application_id = {0x50534D31}")
    raw.execute(f"PRAGMA user_version = {applied}")
    raw.commit()
    raw.close()


@pytest.mark.fault
def test_a_missing_store_is_not_made_in_passing(tmp_path: Path) -> None:
    home = make_home(tmp_path)

    with pytest.raises(StoreError, match="there is no store"):
        Store.open(home)

    assert not home.database.exists()


@pytest.mark.attack
@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    home = make_home(tmp_path)
    home.database.write_bytes(content)

    for opening in (Store.open, Store.create):
        with pytest.raises(StoreError, match=r"home|backup"):
            opening(home)

    assert home.database.read_bytes() == content


@pytest.mark.attack
def test_somebody_else_s_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    raw = sqlite3.connect(home.database)
    raw.execute("CREATE TABLE sessions (id)")
    raw.commit()
    raw.close()

    with pytest.raises(StoreError, match="not a store of ours"):
        Store.open(home)

    raw = sqlite3.connect(home.database)
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("sessions",)]
    raw.close()


def test_a_store_of_a_newer_psm_says_update(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        home = store.home
    raw = sqlite3.connect(home.database)
    raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    raw.close()

    with pytest.raises(StoreError, match="update psm"):
        Store.open(home)


def test_a_directory_and_a_fifo_in_the_store_s_place_are_sentences(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    home.database.mkdir()
    with pytest.raises(StoreError, match="not a file"):
        Store.open(home)

    home.database.rmdir()
    os.mkfifo(home.database)
    with pytest.raises(StoreError, match="not a file"):
        Store.open(home)


@pytest.mark.fault
def test_a_damaged_store_says_so(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        home = store.home
        for number in range(400):
            store.sessions.begin(make_session(f"s-{number}"))
    data = bytearray(home.database.read_bytes())
    half = len(data) // 2
    data[half:] = os.urandom(len(data) - half)
    home.database.write_bytes(data)

    with Store.open(home) as store, pytest.raises(StoreError, match="damaged"):
        store.check_integrity()


@pytest.mark.fault
def test_a_damage_that_python_can_not_even_read_says_so(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        home = store.home
    data = home.database.read_bytes()
    home.database.write_bytes(data.replace(b"TABLE sessions (", b"TABLE \xa8essions \xa8"))

    with pytest.raises(StoreError, match="damaged"), Store.open(home) as store:
        store.check_integrity()


@pytest.mark.attack
def test_a_row_written_by_hand_is_a_sentence(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())
        raw = sqlite3.connect(store.home.database)
        raw.execute("UPDATE sessions SET state = 'bogus\x1b[31m'")
        raw.commit()
        raw.close()

        with pytest.raises(StoreError, match="can not be understood") as caught:
            store.sessions.list(live_only=False)

        assert "\x1b" not in str(caught.value)


@pytest.mark.fault
def test_a_store_held_by_another_program_is_a_sentence_after_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_S", 0.05)
    with make_store(tmp_path) as store:
        other = sqlite3.connect(store.home.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreBusy, match="another program"):
            register(store)

        assert store.sessions.list() == []
        other.execute("ROLLBACK")
        other.close()
        register(store)


@pytest.mark.fault
@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_removed_or_exchanged_while_open_is_not_written_into_the_void(
    tmp_path: Path, replaced: bool
) -> None:
    with make_store(tmp_path) as store:
        register(store)
        backup = store.home.root / "backup.db"
        backup.write_bytes(store.home.database.read_bytes())
        if replaced:
            backup.replace(store.home.database)
        else:
            store.home.database.unlink()

        with pytest.raises(StoreError, match="removed or exchanged"):
            store.sessions.begin(make_session())


@pytest.mark.fault
def test_a_full_disk_is_a_sentence_and_what_was_written_stays(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        register(store)
        raw = store._connection.raw
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count = {pages + 8}")
        begun = 0

        with pytest.raises(StoreError, match="disk is full"):
            for begun in range(2000):
                store.sessions.begin(make_session(f"s-{begun}", reason="x" * 500))

        assert len(store.sessions.list()) == begun
        store.check_integrity()
        raw.execute("PRAGMA max_page_count = 1000000")
        store.sessions.begin(make_session("after"))
        assert store.sessions.get("after")


def test_a_writer_waits_for_another_s_short_transaction(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        begun, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with Store.open(store.home) as other, other.transaction():
                begun.set()
                let_go.wait(5)

        thread = threading.Thread(target=hold)
        thread.start()
        begun.wait(5)
        threading.Timer(0.1, let_go.set).start()

        register(store)

        thread.join()
        assert store.workers.get(register(store)) is not None


def test_a_read_only_store_changes_nothing(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())

        with Store.open(store.home, read_only=True) as reader:
            assert len(reader.sessions.list()) == 1
            with pytest.raises(StoreError, match="can not be written"):
                reader.sessions.begin(make_session("s-2"))


def test_a_read_only_store_is_not_migrated(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    _older_store(home, 2)

    with pytest.raises(StoreError, match="older"):
        Store.open(home, read_only=True)


_OPEN_AT_ONCE = """
import sys, pathlib
from psm_console.store import Home, Store
sys.stdin.readline()
with Store.create(Home(pathlib.Path(sys.argv[1]))) as store:
    print(store.inventory.version())
"""


def test_processes_that_make_the_store_at_once_agree_on_one(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    command = [sys.executable, "-c", _OPEN_AT_ONCE, str(home.root)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    said = [process.communicate("go\n", timeout=30)[0] for process in running]

    assert said == ["0\n"] * 4
    with Store.open(home) as store:
        store.check_integrity()


def test_reading_the_store_loads_neither_sqlite_utils_nor_watchfiles(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        home = store.home
    code = (
        "import sys, pathlib; from psm_console.store import Home, Store\n"
        f"Store.open(Home(pathlib.Path({str(home.root)!r}))).sessions.list()\n"
        "print([m for m in ('sqlite_utils', 'watchfiles', 'asyncssh') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


class TestTransactions:
    def test_all_of_it_or_nothing(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store:
            with pytest.raises(RuntimeError), store.transaction():
                store.sessions.begin(make_session())
                raise RuntimeError

            assert store.sessions.list() == []

    def test_what_fails_inside_can_be_undone_alone(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store, store.transaction():
            store.sessions.begin(make_session("s-1"))
            with pytest.raises(RuntimeError), store.transaction():
                store.sessions.begin(make_session("s-2"))
                with store.transaction():
                    store.sessions.begin(make_session("s-3"))
                raise RuntimeError
            store.sessions.begin(make_session("s-4"))

            assert [one.id for one in store.sessions.list()] == ["s-1", "s-4"]

    def test_a_refused_commit_leaves_nothing_and_the_store_usable(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store:
            from .factories import make_inventory

            with pytest.raises(StoreError):
                store.inventory.replace(make_inventory(accounts={}))

            assert store.inventory.version() == 0
            store.inventory.replace(make_inventory())
            assert store.inventory.version() == 1

    def test_others_see_nothing_before_the_end(self, tmp_path: Path) -> None:
        with make_store(tmp_path) as store, Store.open(store.home, clock=Clock(NOON)) as other:
            before = other.data_version()
            with store.transaction():
                store.sessions.begin(make_session())
                assert other.sessions.list() == []

            assert len(other.sessions.list()) == 1
            assert other.data_version() != before


@pytest.mark.fault
def test_a_copy_on_a_medium_that_can_not_be_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_store(tmp_path) as store:
        store.sessions.begin(make_session())
        home = store.home
    real = connection._open

    class Unopenable(sqlite3.Connection):
        def execute(self, *_: object) -> sqlite3.Cursor:
            raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(
        connection,
        "_open",
        lambda uri, *rest: real(uri, *rest) if "immutable" in uri else Unopenable(":memory:"),
    )

    with Store.open(home, read_only=True) as copy:
        assert [one.id for one in copy.sessions.list(live_only=False)] == ["s-7100"]
    with pytest.raises(StoreError, match="can not be opened"):
        Store.open(home)
