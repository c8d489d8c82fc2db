"""What the store knows of a recording tells a cut tail from a crash."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from psm_console.domain.names import SessionId
from psm_console.store import NotFound, Store

from .factories import NOON, make_session, make_store, register

ONE = SessionId("s-7100")
NOTHING = (0, hashlib.sha256().hexdigest())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = make_store(tmp_path)
    register(made)
    made.sessions.begin(make_session())
    return made


def test_a_file_without_a_checkpoint_is_known_to_exist(store: Store) -> None:
    store.recordings.add_file(ONE, "1-shell.cast", "shell", NOON)

    assert store.recordings.known(ONE) == {"1-shell.cast": NOTHING}
    store.close()


def test_the_newest_checkpoint_stands_in_whatever_order_they_come(store: Store) -> None:
    store.recordings.open(ONE, NOON)
    store.recordings.add_file(ONE, "1-shell.cast", "shell", NOON)
    for offset in (100, 300, 200):
        store.recordings.checkpoint(ONE, "1-shell.cast", offset, f"sum{offset}", NOON, "sig")

    assert store.recordings.known(ONE) == {"1-shell.cast": (300, "sum300")}
    assert store.recordings.get("s-71").files[0].signature == "sig"
    store.close()


def test_the_first_close_stands(store: Store) -> None:
    store.recordings.open(ONE, NOON)
    end = NOON + timedelta(seconds=9)

    store.recordings.close(ONE, end, "digest", 9.0, ["1-shell.cast", "session.json"], 1234)
    store.recordings.close(ONE, end, "forged", 9.0, [], 1)

    info = store.recordings.get(ONE)
    assert (info.digest, info.duration_s, info.size_bytes) == ("digest", 9.0, 1234)
    assert (info.closed_at, info.sealed) == (end, ("1-shell.cast", "session.json"))
    store.close()


def test_what_has_no_recording_says_so(store: Store) -> None:
    assert store.recordings.list() == []
    with pytest.raises(NotFound, match="no recording"):
        store.recordings.get(ONE)
    with pytest.raises(NotFound):
        store.recordings.close(ONE, NOON, "", 0, [], 0)
    with pytest.raises(NotFound):
        store.recordings.get("s-9")
    store.close()


def test_recordings_are_listed_oldest_first_with_the_filters_of_sessions(store: Store) -> None:
    for number, name in enumerate(["x", "y", "z"]):
        begun = NOON + timedelta(minutes=number)
        store.sessions.begin(make_session(name, operator=f"op{number}", started_at=begun))
        store.recordings.open(SessionId(name), begun)
        store.recordings.add_file(SessionId(name), "1-shell.cast", "shell", begun)

    assert [info.id for info in store.recordings.list()] == ["x", "y", "z"]
    assert [info.id for info in store.recordings.list(operator="op1")] == ["y"]
    assert [info.id for info in store.recordings.list(since=NOON + timedelta(minutes=1))] == [
        "y",
        "z",
    ]
    assert [info.id for info in store.recordings.list(text="OP2")] == ["z"]
    assert len(store.recordings.list(limit=1)[0].files) == 1
    store.close()
