"""Taking connections off a socket that several share: whose turn it is, and what if none can."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest

from psm_console.broker.entry.tally import Tally, allot
from psm_console.broker.service import accepting as accepting_module
from psm_console.broker.service.accepting import Accepting
from psm_console.broker.service.listening import bind
from tests.support.limits import no_descriptor
from tests.support.waiting import eventually

pytestmark = pytest.mark.fault


class Counting(socket.socket):
    """Counts how often it was asked for a connection."""

    asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        return super().accept()


class Taken(asyncio.Protocol):
    """Says who took a connection."""

    def __init__(self, who: str, by: list[str]) -> None:
        self._who, self._by = who, by

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._by.append(self._who)
        transport.close()


@pytest.fixture
def listening() -> Iterator[Counting]:
    with bind("127.0.0.1:0") as bound, Counting(fileno=bound.detach()) as found:
        found.setblocking(False)
        yield found


@contextlib.asynccontextmanager
async def accepting(
    listening: socket.socket,
    made: Callable[[], asyncio.Protocol],
    tally: Tally | None = None,
    has_room: Callable[[], bool] = lambda: True,
) -> AsyncIterator[None]:
    found = Accepting(listening, made, tally or Tally.alone(), has_room)
    try:
        yield
        await eventually(lambda: not found.arriving, what="all that came to be begun")
    finally:
        found.close()


def connect(listening: socket.socket) -> socket.socket:
    return socket.create_connection(listening.getsockname(), 20)


@pytest.mark.parametrize("first", ["busy", "idle"])
async def test_who_holds_more_leaves_a_connection_to_who_holds_fewer(
    listening: Counting, first: str
) -> None:
    by: list[str] = []
    shared = allot()
    tallies = {"busy": Tally(shared, 0), "idle": Tally(shared, 1)}
    tallies["busy"].carry(9)
    tallies["idle"].carry(0)
    async with contextlib.AsyncExitStack() as both:
        for who in sorted(tallies, key=lambda who: who != first):
            made = partial(Taken, who, by)
            await both.enter_async_context(accepting(listening.dup(), made, tallies[who]))
        for number in range(8):
            with connect(listening):
                await eventually(lambda: len(by) > number, what="somebody to take it")  # noqa: B023
    # A machine that stands still for an instant may cost one or two.
    assert by.count("idle") >= 6


async def test_what_nobody_else_takes_is_taken_by_who_holds_most(listening: Counting) -> None:
    by: list[str] = []
    shared = allot()
    ours, stuck = Tally(shared, 0), Tally(shared, 1)
    ours.carry(900)
    stuck.carry(0)
    async with accepting(listening, lambda: Taken("we", by), ours):
        with connect(listening):
            await eventually(lambda: by, what="somebody to take it", within_s=10)


async def test_nothing_is_accepted_while_there_is_no_room(
    listening: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting_module, "_NO_ROOM_S", 0.05)
    by: list[str] = []
    looked: list[bool] = []
    room = [False]

    def has_room() -> bool:
        looked.append(room[0])
        return room[0]

    async with accepting(listening, lambda: Taken("we", by), has_room=has_room):
        with connect(listening):
            await eventually(lambda: len(looked) > 2, what="another look")
            assert listening.asked == 0
            room[0] = True
            await eventually(lambda: by, what="the connection to be taken")


async def test_without_a_descriptor_it_waits_and_does_not_spin(
    listening: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting_module, "_NO_ROOM_S", 0.3)
    by: list[str] = []
    async with accepting(listening, lambda: Taken("we", by)):
        with connect(listening):
            with no_descriptor():
                await eventually(lambda: listening.asked, what="the attempt that fails")
                for _ in range(100):
                    await asyncio.sleep(0)
                assert listening.asked < 50
            await eventually(lambda: by, what="the connection to be taken")


async def test_a_connection_that_breaks_as_it_begins_is_closed_and_the_next_is_served(
    listening: Counting,
) -> None:
    by: list[str] = []
    unseen: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unseen.append(told))
    broken = [True]

    def made() -> asyncio.Protocol:
        if broken.pop() if broken else False:
            raise OSError(107, "Transport endpoint is not connected")
        return Taken("we", by)

    async with accepting(listening, made):
        with connect(listening) as client:
            assert await asyncio.to_thread(client.recv, 1) == b""
        with connect(listening):
            await eventually(lambda: by, what="the next to be taken")
    gc.collect()
    assert unseen == []
