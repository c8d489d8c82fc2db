"""A one-time code is good once, also for whoever comes through another connection."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from psm_console.store import Store

from .factories import make_store

pytestmark = pytest.mark.attack


def test_a_code_that_was_used_and_older_ones_are_refused_for_that_identity(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        assert store.used_codes.use("ana", 100)
        assert not store.used_codes.use("ana", 100)
        assert not store.used_codes.use("ana", 99)
        assert store.used_codes.use("ana", 101)
        assert store.used_codes.use("bob", 100)


def test_of_many_who_try_the_same_code_at_once_one_gets_in(tmp_path: Path) -> None:
    with make_store(tmp_path) as store:
        home = store.home
    gate = threading.Barrier(6)
    won: list[bool] = []

    def attempt() -> None:
        with Store.open(home) as store:
            gate.wait()
            won.append(store.used_codes.use("ana", 7))

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1
