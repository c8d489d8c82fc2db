"""The control sockets' files: who may use them, and what is left of those that are gone."""

from __future__ import annotations

import socket
import stat
import threading
from pathlib import Path

import pytest

from psm_console.domain.names import WorkerId
from psm_console.store import StoreError
from psm_console.store.control import (
    Question,
    ask,
    control_password,
    control_sockets,
    forget_control,
    listen_for_control,
)

from .factories import make_home

WORKER = WorkerId("w-1")


def test_all_who_ask_at_once_get_the_same_password_from_a_closed_file(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    found: list[str] = []
    gate = threading.Barrier(8)

    def look() -> None:
        gate.wait()
        found.append(control_password(home))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1 and len(found) == 8 and len(found[0]) == 64
    (file,) = home.keys.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.attack
@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_password_file_that_says_nothing_lets_nobody_in(tmp_path: Path, content: str) -> None:
    home = make_home(tmp_path)
    (home.keys / "control").write_text(content)

    with pytest.raises(StoreError, match="damaged"):
        control_password(home)


def test_a_socket_has_its_name_when_it_listens_and_is_closed_to_others(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with listen_for_control(home, WORKER):
        (path,) = control_sockets(home)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(path))
        assert [one.name for one in home.run.iterdir()] == [path.name]
    forget_control(home, WORKER)
    assert control_sockets(home) == []


@pytest.mark.fault
def test_what_a_dead_worker_left_is_put_away_by_who_asks(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    listen_for_control(home, WORKER).close()
    (path,) = control_sockets(home)

    assert ask(home, path, Question("", ""), 1.0) is None
    assert control_sockets(home) == []


@pytest.mark.fault
def test_a_worker_that_does_not_answer_is_told_from_one_that_is_gone(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with listen_for_control(home, WORKER):
        (path,) = control_sockets(home)
        with pytest.raises(TimeoutError):
            ask(home, path, Question("", ""), 0.1)
