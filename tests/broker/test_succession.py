"""Who is given the listening socket, and what the broker that gives it does with who is not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from psm_console.broker.service import succession as succession_module
from psm_console.broker.service.listening import bind
from psm_console.broker.service.succession import Succession, SuccessionError, take_over
from psm_console.store import Home
from tests.store.factories import make_home
from tests.support.limits import no_descriptor
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault


class Old:
    """A broker as its successors see it."""

    def __init__(self, folder: Path) -> None:
        self.home = make_home(folder)
        self.socket = self.home.run / "broker.sock"
        self.replaced = 0

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Old]:
        with bind("127.0.0.1:0") as listening:
            self.port = listening.getsockname()[1]
            async with Succession(self.home, listening, self._count):
                yield self

    def _count(self) -> None:
        self.replaced += 1


async def takes_over(old: Old) -> None:
    """Take over as a new broker does, to the end."""
    async with asyncio.timeout(20):
        before = await take_over(old.home)
        with before.listening:
            assert before.listening.getsockname()[1] == old.port
            await before.thank()
            await eventually(lambda: old.replaced, what="the old one to hear of it")


def line_to(old: Old) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(20)
    line.connect(str(old.socket))
    return line


async def hears(line: socket.socket) -> bytes:
    """What is said on the line, nothing when it is closed; and no descriptor comes along."""
    with contextlib.suppress(ConnectionResetError):
        said, given, _, _ = await asyncio.to_thread(socket.recv_fds, line, 16, 1)
        assert given == []
        return said
    return b""


async def test_a_broker_without_a_descriptor_is_taken_over_from_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession_module, "_AGAIN_S", 0.05)
    async with Old(tmp_path).at_work() as old:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line, no_descriptor():
            line.connect(str(old.socket))
            for _ in range(20):
                await asyncio.sleep(0)
        await takes_over(old)
        assert old.replaced == 1


@pytest.mark.attack
async def test_a_process_of_another_user_is_given_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Old(tmp_path).at_work() as old:
        assert stat.S_IMODE(old.socket.stat().st_mode) == 0o600
        monkeypatch.setattr(succession_module, "_peer", lambda _: os.geteuid() + 1)
        with line_to(old) as line:
            line.sendall(b"take over\n")
            assert await hears(line) == b""
        assert old.replaced == 0


async def test_who_asks_for_something_else_is_given_no_socket(tmp_path: Path) -> None:
    async with Old(tmp_path).at_work() as old:
        with line_to(old) as line:
            line.sendall(b"ready\n")
            assert await hears(line) == b""
        await takes_over(old)


@pytest.mark.parametrize("told", [b"", b"take over\n"])
async def test_a_successor_that_says_nothing_more_is_given_up_and_the_next_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bytes
) -> None:
    monkeypatch.setattr(succession_module, "_PATIENCE_S", 0.3)
    async with Old(tmp_path).at_work() as old:
        with line_to(old) as silent:
            silent.sendall(told)
            while said := await asyncio.to_thread(silent.recv, 16):
                assert said == b"."
            monkeypatch.setattr(succession_module, "_PATIENCE_S", 20.0)
            await takes_over(old)
        assert old.replaced == 1


async def test_a_successor_that_dies_as_it_comes_up_replaces_nobody(tmp_path: Path) -> None:
    async with Old(tmp_path).at_work() as old:
        before = await take_over(old.home)
        before.listening.close()
        before._line.close()
        await takes_over(old)
        assert old.replaced == 1


async def test_a_successor_that_nobody_waited_for_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(succession_module, "_PATIENCE_S", 0.3)
    async with Old(tmp_path).at_work() as old:
        before = await take_over(old.home)
        await eventually(lambda: "did not come up" in caplog.text, what="the old one to go on")
        with before.listening:
            await before.thank()
        assert "did not wait for this one" in caplog.text
        assert old.replaced == 0


async def test_the_old_broker_leaves_the_door_of_its_successor_in_place(tmp_path: Path) -> None:
    old = Old(tmp_path)
    async with contextlib.AsyncExitStack() as successor:
        async with old.at_work():
            new = Old(tmp_path)
            await successor.enter_async_context(new.at_work())
        await takes_over(new)
        assert (old.replaced, new.replaced) == (0, 1)
    assert not new.socket.exists()


@pytest.mark.parametrize("says", [b".", b""])
async def test_a_door_behind_which_nobody_gives_a_socket_is_a_sentence(
    tmp_path: Path, says: bytes
) -> None:
    home: Home = make_home(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(home.run / "broker.sock"))
        door.listen(1)
        asking = asyncio.create_task(take_over(home))
        line, _ = await asyncio.to_thread(door.accept)
        with line:
            await asyncio.to_thread(line.recv, 16)
            line.sendall(says)
        with pytest.raises(SuccessionError, match="did not hand its socket over"):
            await asking


async def test_who_waits_at_a_door_that_is_closed_is_told_so(tmp_path: Path) -> None:
    home: Home = make_home(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(str(home.run / "broker.sock"))
        door.listen(1)
        asking = asyncio.create_task(take_over(home))
        await asyncio.sleep(0)
        door.accept()[0].close()  # in this turn of the loop: it has not asked yet
        with pytest.raises(SuccessionError, match="did not hand its socket over"):
            await asking
