"""Who fails is slowed down; who has the right key never is, whatever strangers do in their name."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import asyncssh
import pytest

from psm_console.broker.entry.login import LoginDesk
from psm_console.broker.entry.slowdown import Slowdown
from tests.support.sshd import write_key
from tests.support.waiting import eventually

from .asking import Answering, connect, forgive
from .stand import Stand

pytestmark = pytest.mark.attack


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def failed(slow: Slowdown, times: int, source: str = "10.0.0.9", name: str = "ana") -> None:
    for _ in range(times):
        slow.failed(source, name)


def test_a_few_failures_cost_nothing_and_more_cost_more_up_to_a_bound(clock: Clock) -> None:
    slow, delays = Slowdown(clock), []
    for _ in range(40):
        delays.append(slow.delay_s("10.0.0.9", "x"))
        slow.failed("10.0.0.9", "x")

    assert delays[:5] == [0.0] * 5
    assert delays == sorted(delays) and delays[-1] == 2.0
    assert slow.locked("10.0.0.9") and not slow.locked("10.0.0.8")


def test_it_is_forgotten_after_a_while(clock: Clock) -> None:
    slow = Slowdown(clock)
    failed(slow, 40)
    clock.now += 300

    assert slow.delay_s("10.0.0.9", "ana") == 0.0 and not slow.locked("10.0.0.9")


def test_an_owner_waits_half_a_second_at_most_for_what_strangers_do_in_their_name(
    clock: Clock,
) -> None:
    slow = Slowdown(clock)
    for number in range(500):
        slow.failed(f"10.0.{number // 250}.{number % 250}", "ana")

    assert slow.delay_s("192.0.2.1", "ana") == 0.5 and not slow.locked("192.0.2.1")


def test_the_addresses_that_one_customer_has_count_as_one(clock: Clock) -> None:
    slow = Slowdown(clock)
    for number in range(40):
        slow.failed(f"2001:db8::{number:x}", f"n{number}")
        slow.failed("::ffff:10.0.0.7", "y")

    assert slow.locked("2001:db8::ffff") and not slow.locked("2001:db8:0:1::1")
    assert slow.locked("10.0.0.7")


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    slow = Slowdown(clock)
    for number in range(20_000):
        slow.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"name-{number}")
        slow.wrong(f"identity-{number}")

    assert slow.remembered <= 3 * 4096


def test_wrong_second_steps_close_the_door_for_minutes(clock: Clock) -> None:
    slow = Slowdown(clock)
    for _ in range(5):
        assert not slow.closed("ana")
        slow.wrong("ana")

    assert slow.closed("ana") and not slow.closed("bob")
    clock.now += 61
    assert not slow.closed("ana")


# At the broker


@pytest.fixture
def crowd_of_failures(stand: Stand) -> Iterator[Slowdown]:
    """As after many failed logins from here, and in ana's name from elsewhere."""
    slow = stand.broker.running.worker.slowdown

    def fill() -> None:
        failed(slow, 60, "127.0.0.1", stand.user)

    stand.broker.ask(fill)
    yield slow
    forgive(stand)


def test_the_right_key_is_let_in_at_once_from_a_locked_source(
    stand: Stand, crowd_of_failures: Slowdown
) -> None:
    assert crowd_of_failures.locked("127.0.0.1")
    with mock.patch.object(crowd_of_failures, "delay_s", return_value=0.0) as asked:
        assert stand.client.run(stand.user, "echo in").stdout == b"in\n"
    asked.assert_not_called()


def test_a_wrong_key_from_a_locked_source_waits_and_ends_the_connection(
    stand: Stand, crowd_of_failures: Slowdown, tmp_path: Path
) -> None:
    write_key(tmp_path / "wrong")
    own, stand.client.key = stand.client.key, tmp_path / "wrong"
    start = time.monotonic()
    try:
        refused = stand.client.run(stand.user, "id")
    finally:
        stand.client.use_key(own)

    assert refused.returncode == 255 and time.monotonic() - start >= 1.9
    assert b"too many logins from your address have failed" in refused.stderr


async def test_a_login_that_came_to_nothing_is_a_failure_and_wrong_keys_before_the_right_are_none(
    stand: Stand, tmp_path: Path
) -> None:
    worker = stand.broker.running.worker
    slow = worker.slowdown

    async def all_left() -> None:
        await eventually(lambda: not stand.broker.ask(lambda: set(worker.legs)))

    await all_left()
    forgive(stand)
    wrong = []
    for number in range(4):
        write_key(tmp_path / f"w{number}")
        wrong.append(asyncssh.read_private_key(tmp_path / f"w{number}"))
    own = asyncssh.read_private_key(stand.client.key)

    async def attempt(keys: list[asyncssh.SSHKey]) -> None:
        connection = await asyncssh.connect(
            "127.0.0.1",
            stand.client.port,
            username=stand.user,
            client_keys=keys,
            known_hosts=None,
            config=None,
            agent_path=None,
        )
        connection.close()
        await connection.wait_closed()

    await attempt([*wrong, own])
    await all_left()
    assert stand.broker.ask(lambda: slow._sources.level("127.0.0.1")) == 0.0
    with pytest.raises(asyncssh.PermissionDenied):
        await attempt(wrong)
    await all_left()
    assert stand.broker.ask(lambda: slow._sources.level("127.0.0.1")) > 0


async def test_one_connection_may_not_offer_keys_without_end(stand: Stand, tmp_path: Path) -> None:
    line = write_key(tmp_path / "wrong")
    assert line
    key = asyncssh.read_private_key(tmp_path / "wrong")

    with pytest.raises(asyncssh.DisconnectError, match="too many keys were offered"):
        await asyncssh.connect(
            "127.0.0.1",
            stand.client.port,
            username=stand.user,
            client_keys=[key] * 40,
            known_hosts=None,
            config=None,
            agent_path=None,
        )


async def test_one_connection_may_not_sign_badly_without_end(stand: Stand) -> None:
    """Under a key that is known: each costs the broker a look at the signature."""
    thief = asyncssh.generate_private_key("ssh-ed25519")
    pairs = asyncssh.load_keypairs([thief] * 40)
    for pair in pairs:
        pair.public_data = asyncssh.read_public_key(f"{stand.client.key}.pub").public_data

    with pytest.raises(asyncssh.DisconnectError, match="too many keys were offered"):
        await asyncssh.connect(
            "127.0.0.1",
            stand.client.port,
            username=stand.user,
            client_keys=list(pairs),
            known_hosts=None,
            config=None,
            agent_path=None,
        )


async def test_one_connection_may_not_try_names_without_end(stand: Stand) -> None:
    names = iter(f"u{number}" for number in range(100))

    class Naming(Answering):
        connection: asyncssh.SSHClientConnection

        def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
            self.connection = conn

        def public_key_auth_requested(self) -> asyncssh.SSHKey:
            self.connection._username = next(names)
            return asyncssh.generate_private_key("ssh-ed25519")

    with pytest.raises(asyncssh.DisconnectError, match="too many user names"):
        await asyncssh.connect(
            "127.0.0.1",
            stand.client.port,
            username="u",
            client_factory=lambda: Naming(lambda prompts: []),
            known_hosts=None,
            config=None,
            agent_path=None,
        )


# A name that exists and one that does not


async def test_an_unknown_name_reads_what_a_known_one_reads(stand: Stand, tmp_path: Path) -> None:
    write_key(tmp_path / "wrong")
    told = []
    for name in ("ana", "nobody-here"):
        client = Answering(lambda prompts: [])
        with pytest.raises(asyncssh.PermissionDenied):
            await connect(stand, client, user=f"{name}+{stand.ref}", key=tmp_path / "wrong")
        told.append(client.seen)

    assert told[0] == told[1] and len(told[0]) >= 2


def test_an_unknown_name_costs_the_work_that_a_known_one_costs(stand: Stand) -> None:
    """The steps of the interpreter are counted, not the time: the machine may be busy."""

    class Silent:
        def get_extra_info(self, name: str) -> tuple[str, int]:
            return ("192.0.2.7", 1)

        def send_auth_banner(self, text: str) -> None:
            """Read by nobody."""

    key = asyncssh.generate_private_key("ssh-ed25519").public_data
    work: dict[str, list[int]] = {}

    async def attempt(user: str) -> int:
        desk = LoginDesk(Silent(), stand.broker.running.worker)  # type: ignore[arg-type]
        desk.user = user
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            assert desk.may_prove(user, key) is None
            await desk.refused_key(key)
            desk._explanation()
        finally:
            sys.setprofile(None)
        return calls

    async def all_tries() -> None:
        for _ in range(200):
            for name in ("ana", "nobody"):
                work.setdefault(name, []).append(await attempt(f"{name}+{stand.ref}"))

    asyncio.run_coroutine_threadsafe(all_tries(), stand.broker.loop).result(60)
    known, unknown = (sorted(work[name])[100] for name in ("ana", "nobody"))
    assert known > 10 and 0.8 <= unknown / known <= 1.2
