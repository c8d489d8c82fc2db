"""Sizes no terminal has, bytes no text has: what was sent comes through, or what is safe."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psm_console.recording.reader import Tail
from tests.support.terminal import PtyProcess

from .stand import Stand
from .test_smuggling import connected

pytestmark = pytest.mark.fault

HUGE = (1 << 32) - 1
ODD_SIZES = [(0, 0), (HUGE, HUGE), (HUGE, 0), (0, HUGE), (1 << 31, 1), (1, 1), (1001, 501)]


async def test_twenty_thousand_sizes_are_kept_at_a_pace_and_within_bounds(stand: Stand) -> None:
    script = "trap 'stty size' WINCH; echo up; while :; do read -t 0.05 x && exit; done"
    async with connected(stand) as connection:
        process = await connection.create_process(
            f'bash -c "{script}"', term_type="xterm", term_size=(80, 24)
        )
        await process.stdout.readline()
        session = await asyncio.to_thread(stand.session)
        for n in range(20_000):
            columns, rows = ODD_SIZES[n % 7] if n % 3 == 0 else (n % 2000, n % 900)
            process.channel.change_terminal_size(columns, rows)
        # Meanwhile somebody else works as ever.
        other = await asyncio.to_thread(stand.client.run, stand.user, "echo quick")
        process.channel.change_terminal_size(97, 43)
        while "43 97" not in (line := await process.stdout.readline()):
            assert line, "the last size must come through"
        process.stdin.write("\n")
        await process.wait_closed()

    assert other.stdout == b"quick\n"
    events = _events(stand.recording(session) / "1-exec.cast")
    sizes = [event[2].split("x") for event in events if event[1] == "r"]
    assert all(1 <= int(columns) <= 1000 and 1 <= int(rows) <= 500 for columns, rows in sizes)
    assert sizes[-1] == ["97", "43"]
    assert len(sizes) <= 20 * sum(event[0] for event in events) + 20


def _events(cast: Path) -> list[tuple[float, str, str]]:
    lines = [line for line in cast.read_text().splitlines()[1:] if line.startswith("[")]
    return [(float(at), str(kind), str(data)) for at, kind, data in map(json.loads, lines)]


@pytest.mark.parametrize("size", ODD_SIZES)
async def test_a_terminal_of_an_odd_size_is_opened_with_one_that_programs_bear(
    stand: Stand, size: tuple[int, int]
) -> None:
    async with connected(stand) as connection:
        done = await connection.run("stty size", term_type="xterm", term_size=size)

    rows, columns = map(int, str(done.stdout).split())
    assert 1 <= columns <= 1000 and 1 <= rows <= 500


class Echo(ABC):
    """A program on the target that gives back what it is given, and all that it was given."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.sent = bytearray()

    @abstractmethod
    def exchange(self, data: bytes) -> bytes:
        """Send `data`; return what came back."""


class PipeEcho(Echo):
    """`cat` without a terminal."""

    def __init__(self, stand: Stand) -> None:
        super().__init__(stand)
        process = stand.popen("cat")
        assert process.stdin is not None and process.stdout is not None
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout

    def exchange(self, data: bytes) -> bytes:
        self.stdin.write(data)
        self.stdin.flush()
        self.sent += data
        return self.stdout.read(len(data))


class TerminalEcho(Echo):
    """`cat` on a terminal that changes nothing."""

    def __init__(self, stand: Stand, tty: PtyProcess) -> None:
        super().__init__(stand)
        self._tty = tty
        tty.wait_for("ready\n")
        self._seen = len(tty.output)

    def exchange(self, data: bytes) -> bytes:
        self._tty.type(data)
        self.sent += data
        while len(self._tty.output) < self._seen + len(data):
            assert self._tty.read(30), "nothing comes back"
        back = bytes(self._tty.output[self._seen :])
        self._seen = len(self._tty.output)
        return back


awkward = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.sampled_from(
        [
            b"\0",
            b"\xff\xfe",
            b"\xe2\x82",
            b"\xac",
            b"\xf0\x9f\x98",
            b"\x80",
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xc0\xaf",
            b"\x1b]0;",
            b"\r\n~.",
        ]
    ),
    st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@pytest.fixture(params=["pipe", "terminal"])
def echo(request: pytest.FixtureRequest, stand: Stand) -> Iterator[Echo]:
    """Both kinds of channel."""
    if request.param == "pipe":
        yield PipeEcho(stand)
        return
    with stand.client.terminal(
        stand.user, "stty raw -echo; echo ready; exec cat", options=["-e", "none"]
    ) as tty:
        yield TerminalEcho(stand, tty)


def test_any_bytes_pass_both_ways_and_are_in_the_recording(echo: Echo) -> None:
    """Invalid UTF-8, NUL, lone surrogates, characters cut in two: asyncssh alone would hang up."""

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(awkward, min_size=1, max_size=6))
    def exchanged(chunks: list[bytes]) -> None:
        for chunk in chunks:
            assert echo.exchange(chunk) == chunk

    exchanged()

    recorded = _output(echo.stand.recording(echo.stand.session()))
    assert recorded.removeprefix(b"ready\n") == echo.sent


def _output(folder: Path) -> bytes:
    (cast,) = folder.glob("1-*.cast")
    out = b""
    with Tail(cast) as tail:
        while events := tail.read(1 << 24):
            out += b"".join(e.data for e in events if e.code == "o" and isinstance(e.data, bytes))
    return out
