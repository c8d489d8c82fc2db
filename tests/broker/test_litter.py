"""What connections leave behind is collected, and seldom enough."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from psm_console.broker.litter import Litter


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each collection."""
    seen: list[None] = []
    monkeypatch.setattr(gc, "collect", lambda: seen.append(None))
    return seen


def test_what_is_left_is_collected_once_it_is_as_much_as_what_lives(
    collections: list[None],
) -> None:
    litter = Litter()

    for _ in range(999):
        litter.add(live=500)
    assert len(collections) == 1
    litter.add(live=500)
    assert len(collections) == 2


def test_a_few_connections_that_are_gone_are_not_worth_a_collection(
    collections: list[None],
) -> None:
    litter = Litter()

    for _ in range(99):
        litter.add(live=0)
    assert not collections
    litter.add(live=0)
    assert collections


def test_a_worker_never_looks_through_all_its_memory_by_itself() -> None:
    code = (
        "import gc\n"
        "from psm_console.broker.litter import collect_seldom\n"
        "collect_seldom()\n"
        "full = gc.get_stats()[2]['collections']\n"
        "kept = []\n"
        "for _ in range(100_000):\n"
        "    kept.append([[], []])\n"
        "assert gc.get_stats()[2]['collections'] == full and gc.get_freeze_count() > 1000\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert gc.isenabled()
