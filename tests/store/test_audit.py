"""The audit log can be added to, read and checked; what was done to it behind our back shows."""

from __future__ import annotations

import random
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.store import AuditHead, Home, Store, StoreError

from .factories import NOON, make_home, make_session, make_store


def filled(tmp_path: Path, count: int = 12) -> Store:
    """Return a store whose audit log has `count` entries of all shapes."""
    store = make_store(tmp_path)
    store.sessions.begin(make_session())
    for number in range(count):
        store.audit.append(
            NOON + timedelta(seconds=number),
            "session.pause" if number % 2 else "recording.open",
            "sue" if number % 3 else "bo",
            on_behalf_of="ana" if number % 4 == 0 else None,
            session="s-7100" if number % 2 else None,
            detail={"n": number, "text": "é\x1b\u202e"} if number % 2 else f"plain {number}",
        )
    return store


def behind_our_back(store: Store, *statements: str) -> None:
    """Do what somebody with the sqlite3 shell can do."""
    raw = sqlite3.connect(store.home.database)
    for change in ("update", "delete"):
        raw.execute(f"DROP TRIGGER IF EXISTS audit_refuses_{change}")
    for statement in statements:
        raw.execute(statement)
    raw.commit()
    raw.close()


def test_entries_read_back_and_are_filtered(tmp_path: Path) -> None:
    with filled(tmp_path) as store:
        entries = store.audit.list()

        assert [entry.id for entry in entries] == list(range(1, 13))
        assert entries[1].detail == {"n": 1, "text": "é\x1b\u202e"}
        assert entries[0].detail == "plain 0"
        assert entries[0].on_behalf_of == "ana"
        assert [one.id for one in store.audit.list(limit=2)] == [11, 12]
        assert len(store.audit.list(session="s-7100")) == 6
        assert len(store.audit.list(action="recording.open")) == 6
        assert len(store.audit.list(actor="bo")) == 4
        assert [e.id for e in store.audit.list(since=NOON + timedelta(seconds=10))] == [11, 12]


def test_an_untouched_log_verifies(tmp_path: Path) -> None:
    with filled(tmp_path) as store:
        head = store.audit.head()

        verdict = store.audit.verify(head)

        assert (verdict.ok, verdict.count, verdict.head) == (True, 12, head)
        assert AuditHead.parse(str(head)) == head
        store.audit.append(NOON, "x.y", "sue")
        assert store.audit.verify(head).ok


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        assert store.audit.verify(store.audit.head()).ok


def test_an_entry_falls_with_the_act_it_reports(tmp_path: Path) -> None:
    with filled(tmp_path, 2) as store:
        with pytest.raises(RuntimeError), store.transaction():
            store.audit.append(NOON, "session.pause", "sue")
            raise RuntimeError

        assert store.audit.verify().count == 2


@pytest.mark.attack
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'bo' WHERE id = 2",
        "DELETE FROM audit WHERE id = 12",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 2",
    ],
)
def test_the_log_refuses_to_be_changed_through_the_store(tmp_path: Path, statement: str) -> None:
    filled(tmp_path).close()
    with Store.open(Home(tmp_path / "home")) as store:
        with pytest.raises(StoreError, match="append-only"), store.transaction():
            store._connection.run(statement)

        assert store.audit.verify().ok


EDITS = [
    (column, value)
    for column in ("at", "action", "actor", "on_behalf_of", "session", "detail")
    for value in ("'x'", "x'00'", "7", "NULL", "''")
    if value != "NULL" or column in ("on_behalf_of", "session")
]


@pytest.mark.attack
@pytest.mark.parametrize(("column", "value"), EDITS)
@pytest.mark.parametrize("entry", [5, 6])
def test_any_edit_of_any_column_is_found(
    tmp_path: Path, column: str, value: str, entry: int
) -> None:
    with filled(tmp_path) as store:
        row = store._connection.row(f"SELECT {column} IS {value} FROM audit WHERE id = ?", (entry,))
        assert row is not None

        behind_our_back(store, f"UPDATE audit SET {column} = {value} WHERE id = {entry}")

        verdict = store.audit.verify()
        assert (verdict.ok, verdict.first_bad) == ((True, None) if row[0] else (False, entry))


@pytest.mark.attack
@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (["DELETE FROM audit WHERE id = 5"], 6),
        (["DELETE FROM audit WHERE id = 1"], 2),
        (["DELETE FROM audit WHERE id > 9"], 10),
        (["DELETE FROM audit"], 1),
        (["UPDATE audit SET hash = 'x' WHERE id = 4"], 4),
        (["UPDATE audit SET previous = 'x' WHERE id = 4"], 4),
        (
            [
                "UPDATE audit SET id = -1 WHERE id = 4",
                "UPDATE audit SET id = 4 WHERE id = 5",
                "UPDATE audit SET id = 5 WHERE id = -1",
            ],
            4,
        ),
        (
            [
                "INSERT INTO audit SELECT 0, at, action, 'eve', NULL, NULL, detail, '', ''"
                " FROM audit WHERE id = 1"
            ],
            0,
        ),
        (["UPDATE audit SET id = id + 1 WHERE id = 12"], 13),
    ],
)
def test_removing_moving_and_slipping_in_is_found(
    tmp_path: Path, statements: list[str], first_bad: int
) -> None:
    with filled(tmp_path) as store:
        behind_our_back(store, *statements)

        verdict = store.audit.verify()

        assert (verdict.ok, verdict.first_bad) == (False, first_bad), verdict
        assert verdict.detail


@pytest.mark.attack
def test_a_tail_cut_with_care_shows_against_a_head_noted_elsewhere(tmp_path: Path) -> None:
    with filled(tmp_path) as store:
        noted = store.audit.head()
        behind_our_back(
            store,
            "DELETE FROM audit WHERE id > 9",
            "UPDATE sqlite_sequence SET seq = 9 WHERE name = 'audit'",
        )

        assert store.audit.verify().ok  # nothing in the file itself can tell
        verdict = store.audit.verify(noted)
        assert (verdict.ok, verdict.first_bad, verdict.count) == (False, 10, 9)


@pytest.mark.attack
def test_a_log_rewritten_from_the_start_shows_against_a_head_noted_elsewhere(
    tmp_path: Path,
) -> None:
    with filled(tmp_path) as store:
        noted = store.audit.head()
    (tmp_path / "other").mkdir()
    with make_store(tmp_path / "other") as forged:
        for _ in range(20):
            forged.audit.append(NOON, "session.pause", "nobody")

        verdict = forged.audit.verify(noted)

        assert (verdict.ok, verdict.first_bad) == (False, 12)


@pytest.mark.attack
def test_one_flipped_bit_in_any_stored_field_is_found(tmp_path: Path) -> None:
    chance = random.Random(7)
    with filled(tmp_path, 6) as store:
        columns = ["at", "action", "actor", "detail", "previous", "hash"]
        for _ in range(40):
            column, place = chance.choice(columns), chance.randrange(1, 7)
            row = store._connection.row(f"SELECT {column} FROM audit WHERE id = ?", (place,))
            assert row is not None
            old: str = row[0]
            at = chance.randrange(len(old))
            new = old[:at] + chr(ord(old[at]) ^ 1) + old[at + 1 :]
            raw = sqlite3.connect(store.home.database)
            raw.execute("DROP TRIGGER IF EXISTS audit_refuses_update")

            raw.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (new, place))
            raw.commit()
            assert store.audit.verify().first_bad == place
            raw.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (old, place))
            raw.commit()
            raw.close()

        assert store.audit.verify().ok


@pytest.mark.parametrize(
    "text", ["", "1", "1:", "x:" + "0" * 64, "1:" + "0" * 63, "1:" + "G" * 64, "-1:" + "0" * 64]
)
def test_what_is_no_head_is_told_from_one(text: str) -> None:
    assert AuditHead.parse(text) is None


def test_writers_in_two_processes_keep_one_chain(tmp_path: Path) -> None:
    import subprocess
    import sys

    home = make_home(tmp_path)
    Store.create(home).close()
    code = (
        "import sys, pathlib; from psm_console.store import Home, Store, utc_now\n"
        "with Store.open(Home(pathlib.Path(sys.argv[1]))) as store:\n"
        "    for n in range(40): store.audit.append(utc_now(), 'a.b', sys.argv[2])\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(home.root), name]) for name in "abc"
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]

    with Store.open(home) as store:
        verdict = store.audit.verify()
        assert (verdict.ok, verdict.count) == (True, 120)
        assert {entry.actor for entry in store.audit.list()} == {"a", "b", "c"}
