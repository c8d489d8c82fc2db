"""kill -9 of a writer: what it was told is stored is there, the chain holds, others go on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from psm_console.store import Store

from .factories import make_home

_APPEND = """
import sys, pathlib
from psm_console.store import Home, Store, utc_now
with Store.open(Home(pathlib.Path(sys.argv[1]))) as store:
    while True:
        with store.transaction():
            entry = store.audit.append(utc_now(), "a.b", "x", detail="y" * 300)
            store.audit.append(utc_now(), "a.c", "x")
        print(entry.id, flush=True)
"""
_QUEUE = """
import sys, pathlib
from psm_console.store import Home, StoreThread, utc_now
thread = StoreThread(Home(pathlib.Path(sys.argv[1])))
def append(store):
    with store.transaction():
        entry = store.audit.append(utc_now(), "a.b", "x", detail="y" * 300)
        store.audit.append(utc_now(), "a.c", "x")
    return entry.id
while True:
    for future in [thread.submit(append) for _ in range(30)]:
        print(future.result(), flush=True)
"""


@pytest.mark.fault
@pytest.mark.parametrize("program", [_APPEND, _QUEUE], ids=["alone", "queued"])
def test_nothing_acknowledged_is_lost_and_nothing_is_half_done(
    tmp_path: Path, program: str
) -> None:
    home = make_home(tmp_path)
    Store.create(home).close()
    chance = random.Random(3)
    acknowledged: set[int] = set()
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(home.root)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        acknowledged.add(int(writer.stdout.readline()))
        time.sleep(chance.random() / 20)
        writer.kill()
        # The last line may be cut; a whole one was acknowledged.
        acknowledged.update(int(line) for line in writer.stdout if line.endswith("\n"))
        writer.stdout.close()
        writer.wait(10)

    with Store.open(home) as store:
        store.check_integrity()
        verdict = store.audit.verify()
        assert verdict.ok, verdict
        entries = {entry.id: entry.action for entry in store.audit.list()}
    assert acknowledged <= set(entries)
    assert list(entries.values()) == ["a.b", "a.c"] * (len(entries) // 2)
